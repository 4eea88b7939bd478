/** Ends the reading of a job: it is not imported. The message is a sentence without its full stop. */
export class Unreadable extends Error {}
