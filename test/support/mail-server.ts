// A real mail server on loopback that keeps what it gets.

import { text } from 'node:stream/consumers';
import { SMTPServer } from 'smtp-server';
import { onTestFinished } from 'vitest';
import type { Certificate } from './a-certificate.ts';

type ReceivedMail = {
  readonly from: string;
  readonly to: readonly string[];
  readonly isEncrypted: boolean;
  readonly user: string | null;
  /** The headers by name, in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
};

export type MailServer = {
  readonly port: number;
  readonly received: readonly ReceivedMail[];
  /** The passwords that clients sent, also wrong ones. */
  readonly passwords: readonly string[];
  /** With a text, every recipient is refused with 550 and the text. */
  refusal: string | null;
  /** The recipient that is refused with 450. */
  greylisted: string | null;
};

/**
 * Accepts the user `flwd` with this password. With a certificate the server speaks TLS from the start, or offers
 * STARTTLS. Without a certificate it accepts the password unencrypted.
 */
export async function startMailServer(
  o: { readonly certificate?: Certificate; readonly isSecure?: boolean; readonly password?: string } = {},
): Promise<MailServer> {
  const { certificate, isSecure = false, password } = o;
  const received: ReceivedMail[] = [];
  const passwords: string[] = [];
  const server = new SMTPServer({
    ...(certificate && { ...certificate, secure: isSecure }),
    disabledCommands: [...(certificate ? [] : ['STARTTLS']), ...(password === undefined ? ['AUTH'] : [])],
    allowInsecureAuth: certificate === undefined,
    authOptional: password === undefined,
    logger: false,
    onAuth({ username, password: given }, _session, done) {
      passwords.push(given ?? '');
      if (username === 'flwd' && given === password) done(null, { user: username });
      else done(new Error(`no: ${username} ${given}`));
    },
    onRcptTo({ address }, _session, done) {
      if (address === mailServer.greylisted)
        done(Object.assign(new Error(`${address}: try again later`), { responseCode: 450 }));
      else if (mailServer.refusal === null) done();
      else done(Object.assign(new Error(mailServer.refusal), { responseCode: 550 }));
    },
    onData(stream, session, done) {
      void text(stream).then((raw) => {
        const { mailFrom, rcptTo } = session.envelope;
        const [head = '', ...rest] = raw.split('\r\n\r\n');
        received.push({
          from: mailFrom === false ? '' : mailFrom.address,
          to: rcptTo.map(({ address }) => address),
          isEncrypted: session.secure,
          user: typeof session.user === 'string' ? session.user : null,
          headers: headersOf(head),
          body: rest.join('\r\n\r\n'),
        });
        done();
      });
    },
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  // A client that gives up is no concern of the server.
  server.on('error', () => undefined);
  onTestFinished(() => new Promise<void>((resolve) => server.close(resolve)));
  const address = server.server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  const mailServer: MailServer = { port, received, passwords, refusal: null, greylisted: null };
  return mailServer;
}

function headersOf(head: string): Map<string, string> {
  const lines = head.replaceAll(/\r\n[ \t]/g, ' ').split('\r\n');
  return new Map(
    lines.map((line) => {
      const at = line.indexOf(':');
      return [line.slice(0, at).toLowerCase(), line.slice(at + 1).trim()];
    }),
  );
}
