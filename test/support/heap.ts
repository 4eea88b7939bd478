// The heap of a server under test after garbage collection, read through Node's inspector.

/** Add these variables to the server's environment. */
export const withInspector = { NODE_OPTIONS: '--inspect=127.0.0.1:0' };

/** @param stderr output of a server that was started `withInspector` */
export async function heapBytes(stderr: string): Promise<number> {
  const [, url = ''] = /Debugger listening on (ws:\S+)/.exec(stderr) ?? [];
  const socket = new WebSocket(url);
  await new Promise((resolve, reject) => {
    socket.addEventListener('open', resolve);
    socket.addEventListener('error', () => reject(new Error(`no inspector at '${url}'`)));
  });
  let asked = 0;
  function ask(method: string): Promise<{ result: { usedSize: number } }> {
    asked += 1;
    const id = asked;
    return new Promise((resolve) => {
      socket.addEventListener('message', ({ data }) => {
        const answer: { id: number; result: { usedSize: number } } = JSON.parse(String(data));
        if (answer.id === id) resolve(answer);
      });
      socket.send(JSON.stringify({ id, method }));
    });
  }
  await ask('HeapProfiler.collectGarbage');
  const { result } = await ask('Runtime.getHeapUsage');
  socket.close();
  return result.usedSize;
}
