// Why a server cannot start, when its operator can fix it. The message says what to do.

export class StartError extends Error {
  override readonly name = 'StartError';
}
