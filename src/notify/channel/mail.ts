// Mail: one plain text to all addresses of the channel.

import type { Message } from '../message.ts';
import { fit, fitBody } from './fitting.ts';
import { ChannelError, type OpenChannel } from './request.ts';

export type SmtpServer = {
  readonly host: string;
  /** null: the default port. */
  readonly port: number | null;
  /** Whether the connection is encrypted from its start. */
  readonly isSecure: boolean;
  readonly user: string;
  readonly password: string;
};

export type Mail = {
  readonly server: SmtpServer;
  readonly from: string;
  readonly to: readonly string[];
  /**
   * The addresses that got the mail in an earlier attempt. They stay in `To`, but the mail is not sent to them again.
   */
  readonly takenBy: readonly string[];
  readonly subject: string;
  readonly text: string;
  readonly messageId: string;
};

const mostSubjectChars = 200;
const mostTextChars = 20_000;

/** @param url such as `smtps://user:password@mail.example.org` */
export function toMail(
  { to }: Pick<OpenChannel, 'to'>,
  message: Message,
  { url, from, takenBy }: { readonly url: string; readonly from: string; readonly takenBy: readonly string[] },
): Mail {
  const [, domain = 'localhost'] = /@([\w.-]+)>?$/.exec(from) ?? [];
  return {
    server: toServer(url),
    from,
    to,
    takenBy,
    subject: fit(message.headline, mostSubjectChars),
    text: `${fitBody(message, mostTextChars)}\n`,
    // All attempts have the same id, so that a mailbox can recognise duplicates.
    messageId: `<${message.id}@${domain}>`,
  };
}

/** The address of the server, without user and password. */
export function originOfServer({ isSecure, host, port }: SmtpServer): string {
  return `${isSecure ? 'smtps' : 'smtp'}://${host}${port === null ? '' : `:${port}`}`;
}

function toServer(text: string): SmtpServer {
  const url = URL.parse(text);
  const wrong = '`notify.smtp.url` is not a URL such as smtps://user:password@mail.example.org';
  if (!url || !/^smtps?:$/.test(url.protocol) || url.hostname === '') throw new ChannelError(wrong);
  if (url.username !== '' && url.password === '') {
    throw new ChannelError('`notify.smtp.url` has a user, but no password');
  }
  const { hostname, port, protocol, username, password } = url;
  try {
    return {
      host: hostname.replace(/^\[(.*)\]$/, '$1'),
      port: port === '' ? null : Number(port),
      isSecure: protocol === 'smtps:',
      user: decodeURIComponent(username),
      password: decodeURIComponent(password),
    };
  } catch {
    throw new ChannelError(wrong);
  }
}
