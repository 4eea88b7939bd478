// One attempt to send a mail. This code is loaded with the first mail, because nodemailer takes 40 ms and 10 MB.

import MailComposer from 'nodemailer/lib/mail-composer';
import SMTPConnection, { type SentMessageInfo } from 'nodemailer/lib/smtp-connection';
import { errorCode } from '../lib/error-code.ts';
import { isLoopback } from '../lib/loopback.ts';
import { type Attempt, failedAttempt } from './call-receiver.ts';
import type { Mail, SmtpServer } from './channel/mail.ts';

/** @throws the reason of `signal` once it is aborted, and nothing else */
export async function sendMail(
  mail: Mail,
  { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<Attempt> {
  const timeout = AbortSignal.timeout(timeoutMs);
  const stop = AbortSignal.any([signal, timeout]);
  const connection = new SMTPConnection(toOptions(mail.server, timeoutMs));
  const broken = Promise.withResolvers<never>();
  broken.promise.catch(() => undefined);
  connection.on('error', broken.reject);
  connection.on('end', () => broken.reject(new Error('the mail server closed the connection')));
  const abort = (): void => broken.reject(stop.reason);
  stop.addEventListener('abort', abort);
  try {
    return await Promise.race([broken.promise, hand(mail, connection)]);
  } catch (error) {
    signal.throwIfAborted();
    if (timeout.aborted) return { ...failedAttempt(`no answer within ${timeoutMs / 1000} s`), hasTimedOut: true };
    return failedAttempt(wordsOf(error));
  } finally {
    stop.removeEventListener('abort', abort);
    connection.close();
  }
}

async function hand(mail: Mail, connection: SMTPConnection): Promise<Attempt> {
  const { server, from, to, takenBy, subject, text, messageId } = mail;
  const content = { from, to: [...to], subject, text, messageId, headers: { 'Auto-Submitted': 'auto-generated' } };
  const composed = new MailComposer({ ...content, disableFileAccess: true, disableUrlAccess: true }).compile();
  const envelope = composed.getEnvelope();
  const recipients = envelope.to.filter((address) => !takenBy.includes(address));
  // All remaining addresses already have the mail. This happens if flwd.yaml has changed since the last attempt.
  if (recipients.length === 0) return { isDelivered: true };
  const message = await composed.build();
  await calling((done) => connection.connect(done));
  const { user, password } = server;
  if (user !== '') await calling((done) => connection.login({ user, pass: password }, done));
  const {
    accepted,
    rejected,
    rejectedErrors = [],
  } = await new Promise<SentMessageInfo>((resolve, reject) => {
    connection.send({ ...envelope, to: recipients }, message, (error, info) => (info ? resolve(info) : reject(error)));
  });
  connection.quit();
  if (rejected.length === 0) return { isDelivered: true };
  const answer = rejectedErrors[0]?.responseCode ?? 'no';
  const which = `${rejected.length} of ${envelope.to.length} addresses`;
  return { ...failedAttempt(`the mail server answered ${answer} for ${which}`), takenBy: accepted };
}

function calling(call: (done: (error?: Error | null) => void) => unknown): Promise<void> {
  return new Promise((resolve, reject) => {
    call((error) => (error ? reject(error) : resolve()));
  });
}

function toOptions({ host, port, isSecure, user }: SmtpServer, timeoutMs: number) {
  return {
    host,
    ...(port !== null && { port }),
    secure: isSecure,
    // Without this, somebody between the servers could remove STARTTLS and read the password.
    requireTLS: !isSecure && user !== '' && !isLoopback(host),
    connectionTimeout: timeoutMs,
    greetingTimeout: timeoutMs,
    socketTimeout: timeoutMs,
    dnsTimeout: timeoutMs,
    socketCloseTimeout: 0,
  };
}

/** Puts an error into words. It shows only codes, because the message of a server may repeat an address or a user. */
function wordsOf(error: unknown): string {
  const { responseCode, code, originalCode }: Readonly<Record<string, unknown>> = Object(error);
  if (code === 'EAUTH') return `the mail server refused the user and the password${answerOf(responseCode)}`;
  if (code === 'ETLS') return 'the mail server does not encrypt the connection';
  if (typeof responseCode === 'number') return `the mail server answered ${responseCode}`;
  // nodemailer puts its own code into `code`, and the code of the system or of TLS into `originalCode`.
  const reason = typeof originalCode === 'string' ? originalCode : (errorCode(error) ?? 'it closed the connection');
  if (isAboutCertificate(reason)) return `the certificate of the mail server is not trusted (${reason})`;
  return `the mail server cannot be reached (${reason})`;
}

function answerOf(responseCode: unknown): string {
  return typeof responseCode === 'number' ? ` (${responseCode})` : '';
}

/** Matches codes such as `DEPTH_ZERO_SELF_SIGNED_CERT` and `UNABLE_TO_VERIFY_LEAF_SIGNATURE`. */
function isAboutCertificate(code: string): boolean {
  return /CERT|^UNABLE_TO_VERIFY/.test(code);
}
