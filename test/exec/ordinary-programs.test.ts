// The sandbox of a secure job does not hinder ordinary scripts: real programs do real work in it.

import { describe, expect, test } from 'vitest';
import { absentTools } from '../support/host.ts';
import { run, succeeded } from './sample.ts';

const programs: readonly { needs: readonly string[]; script: string }[] = [
  { needs: ['sort'], script: 'seq 100000 | sort --parallel=4 -S 1M -r | sort -n | tail -n 1 | grep -qx 100000' },
  { needs: ['tar', 'gzip'], script: 'mkdir d; seq 9 > d/f; tar -czpf d.tgz d; rm -r d; tar -xzpf d.tgz; wc -l d/f' },
  { needs: ['perl'], script: `perl -e 'my $pid = fork // die; exit 0 unless $pid; wait; kill 0, $$; print "x" x 9'` },
  {
    needs: ['python3'],
    script: `python3 -c '
import concurrent.futures, multiprocessing, sqlite3, socket, ssl, subprocess, tempfile, threading
with concurrent.futures.ThreadPoolExecutor(4) as pool: assert sum(pool.map(int, range(100))) == 4950
with multiprocessing.Pool(2) as pool: assert pool.map(abs, [-1, 2]) == [1, 2]
subprocess.run(["true"], check=True, start_new_session=True)
a, b = socket.socketpair(); a.send(b"x"); assert b.recv(1) == b"x"
sqlite3.connect("db").execute("create table t (x)")
assert socket.getaddrinfo("127.0.0.1", 80)'`,
  },
  {
    needs: ['git'],
    script: `git init -q r; cd r; git config user.email a@b; git config user.name a; echo x > f; git add f
      git commit -qm m; git gc -q; git clone -q . ../c; git -C ../c log --oneline | grep -c m`,
  },
  {
    needs: ['gcc'],
    script: `printf '#include <pthread.h>\\nvoid *f(void *p) { return p; }\\nint main() { pthread_t t; return pthread_create(&t, 0, f, 0) || pthread_join(t, 0); }\\n' > t.c
      gcc -pthread -o t t.c; ./t`,
  },
  { needs: ['curl'], script: 'status=0; curl -s http://127.0.0.1:9/ || status=$?; [[ $status == 7 ]]' },
  { needs: ['flock'], script: '(flock 9; timeout 5 nice -n 5 sh -c "sleep 0.01 & wait") 9> lock' },
];

describe('a secure job can use', () => {
  for (const { needs, script } of programs) {
    // Not every host has these programs, and CI does not need them.
    test.skipIf(absentTools(...needs).length > 0)(needs.join(' and '), async () => {
      const { end, text } = await run(script);
      expect({ end, text: end.kind === 'exited' && end.code === 0 ? '' : text }).toEqual({ end: succeeded, text: '' });
    });
  }

  test('node with threads, child processes and a server', async () => {
    const script = `
      import { execFileSync } from 'node:child_process';
      import { once } from 'node:events';
      import { createServer } from 'node:http';
      import { Worker } from 'node:worker_threads';
      execFileSync('true');
      await once(new Worker('1', { eval: true }), 'exit');
      const server = createServer((_request, response) => response.end('served')).listen(0, '127.0.0.1');
      await once(server, 'listening');
      console.log(await (await fetch('http://127.0.0.1:' + server.address().port)).text());
      server.close();`;
    const { end, lines } = await run(script, { ulcProfile: 'ulc.node' });
    expect({ end, lines }).toEqual({ end: succeeded, lines: ['served'] });
  });
});
