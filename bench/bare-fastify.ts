// The floor of bench/http.ts: a Fastify with a single route, in its own process.

import Fastify from 'fastify';

process.once('message', ({ body }: { body: unknown }) => {
  const app = Fastify();
  app.get('/', () => body);
  void app.listen({ host: '127.0.0.1', port: 0 }).then((url) => process.send?.({ url }));
});
