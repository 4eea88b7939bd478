// A notifier with a channel of the type mail.

import { expect, vi } from 'vitest';
import { aChannel } from './a-channel.ts';
import { dataFolder, type Opened, openNotifier } from './a-notifier.ts';

export const to = ['ops@example.org', 'night@example.org'];
/** The rule of runs about which a mail is sent. */
export const rule = [{ on: ['failed', 'fixed'], channel: 'team' }] as const;

/** A notifier whose channel is mail; the address of the server may be the secret `smtp`. */
export async function openMail(url: string, secrets: Record<string, string> = {}, dir = dataFolder()): Promise<Opened> {
  const smtp = { url: secrets.smtp === undefined ? url : { secret: 'smtp' }, from: 'flwd of ops <flwd@example.org>' };
  return openNotifier(dir, {
    channels: [aChannel({ type: 'mail', to })],
    smtp,
    secrets,
    publicUrl: 'https://flwd.example.org',
  });
}

/** Why the first attempt to send the mail of a run failed. */
export async function errorOf(opened: Opened, runId: string): Promise<string | null> {
  return vi.waitFor(
    async () => {
      const [notification] = await opened.store.notifications.list(runId);
      expect(notification).toMatchObject({ status: 'pending', attempts: 1, channel: 'team' });
      return notification?.last_error ?? null;
    },
    { timeout: 60_000 },
  );
}
