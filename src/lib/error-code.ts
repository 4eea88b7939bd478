// Reads the code of a system error, such as `ENOENT`.

/** Returns the code; undefined when the error is not a system error. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
