/** One call, opened. */
