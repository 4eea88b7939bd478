/** Thrown if a job cannot be imported. The message is a sentence without its full stop. */
export class Unreadable extends Error {}
