// Collects everything that keeps a job from being imported, so that the report names all of it at once. An obstacle is
// a sentence without its full stop.

/** Thrown if a part of a job cannot be read. The message is an obstacle. */
export class Unreadable extends Error {}

/** Reads a part of a job. If it cannot be read, adds its obstacle to the list, and returns undefined. */
export function attempt<T>(obstacles: string[], read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    obstacles.push(error.message);
    return undefined;
  }
}
