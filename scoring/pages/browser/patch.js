/** A unified diff, as a reviewer reads it. */
