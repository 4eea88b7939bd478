// Why a server cannot start, where that is for its operator to fix. The message says what to do.

export class StartError extends Error {
  override readonly name = 'StartError';
}
