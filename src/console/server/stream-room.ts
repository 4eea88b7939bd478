// How many streams the windows of a browser have open: over HTTP/1.1 it has six connections to a server for all of them, and
// the calls need some. A stream for which there is no room is opened for a moment now and then.

const most = 4;
const momentMs = 1_000;

/** @returns whether it was read to its end, and not for a moment only */
export async function withStreamRoom(
  signal: AbortSignal,
  read: (signal: AbortSignal) => Promise<void>,
): Promise<boolean> {
  // Of what is not HTTPS, localhost alone has locks.
  if (!('locks' in navigator)) {
    await read(signal);
    return true;
  }
  for (let n = 1; n <= most; n++) {
    const hadRoom = await navigator.locks.request(`flwd.stream.${n}`, { ifAvailable: true }, async (lock) => {
      if (lock) await read(signal);
      return lock !== null;
    });
    if (hadRoom) return true;
  }
  return navigator.locks.request('flwd.stream.moment', { signal }, async () => {
    const moment = AbortSignal.timeout(momentMs);
    await read(AbortSignal.any([signal, moment]));
    return !moment.aborted;
  });
}
