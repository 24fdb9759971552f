/** Messages of a conversation. */
