/** The bodies of the calls, which are unpacked when one is asked for. */
