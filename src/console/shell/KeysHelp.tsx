// The dialog that lists the keys, with a link to the documentation.

import type { ReactNode } from 'react';
import { Checkbox } from '../design/controls/Checkbox.tsx';
import { Dialog } from '../design/controls/Dialog.tsx';
import { usePreference } from '../design/preferences.ts';
import { Kbd } from '../design/text/Kbd.tsx';
import styles from './KeysHelp.module.css';
import { keyList } from './keys.ts';

export function KeysHelp({ close }: { readonly close: () => void }): ReactNode {
  const [keys, keep] = usePreference('keys');
  return (
    <Dialog title="Keys" close={close}>
      <dl className={styles.keys}>
        {keyList.map(([key, what]) => (
          <div key={key}>
            <dt>
              {key.split(' ').map((one) => (
                <Kbd key={one}>{one}</Kbd>
              ))}
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <Checkbox
        label="Use single-character keys"
        checked={keys !== 'no'}
        onChange={(isUsed) => keep(isUsed ? null : 'no')}
      />
      <p>
        <a href="/docs" target="_blank" rel="noreferrer">
          The API reference of this server
        </a>
      </p>
    </Dialog>
  );
}
