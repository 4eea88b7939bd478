// Names the stored secrets that the runs of a schedule lack, with the command that stores each of them.

import type { ReactNode } from 'react';
import { storingCommand } from '../../domain/trigger/webhook-notes.ts';
import { harmless } from '../words.ts';
import { missingSecretsOf, type Schedule } from './schedule-data.ts';

export function MissingSecrets({ of }: { readonly of: Schedule }): ReactNode {
  return missingSecretsOf(of).map((name) => (
    <p key={name}>
      Its runs lack the secret <code>{harmless(name)}</code>. Store it with{' '}
      <code>{harmless(storingCommand(name, of))}</code>.
    </p>
  ));
}
