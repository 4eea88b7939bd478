// The frame around the screens: a header, a footer, and between them a stack of screens, or the help.

import { Box, useApp, useInput, usePaste, useWindowSize } from 'ink';
import { createElement as h, type ReactElement, useCallback, useEffect, useRef, useState } from 'react';
import type { Client } from '../client/client.ts';
import { type Admission, useAdmission } from './admission.ts';
import { type Connection, useConnection } from './connection.ts';
import { FormScreen } from './form/form-screen.ts';
import { helpLines } from './help.ts';
import { JobsScreen } from './jobs-screen.ts';
import { cells, line, type Span } from './line.ts';
import { type Press, toPaste, toPresses, usePressQueue } from './presses.ts';
import { RunScreen } from './run/run-screen.ts';
import { RunsScreen } from './runs-screen.ts';
import { type Place, ScreenContext, type ScreenContextValue } from './screen.ts';
import { useSuspend } from './suspend.ts';
import { wrapped } from './wrapped.ts';

const leastColumns = 60;
const leastRows = 15;
const mostRefusalRows = 4;

type AppProps = { readonly client: Client; readonly where: string; readonly ensureStarted: (runId: string) => void };

export function App({ client, where, ensureStarted }: AppProps): ReactElement {
  const { columns, rows } = useWindowSize();
  const hasRoom = columns >= leastColumns && rows >= leastRows;
  const { exit } = useApp();
  const suspend = useSuspend();
  const admission = useAdmission(client);
  const connection = useConnection(admission.client, admission.refusal === null);
  const [stack, setStack] = useState<readonly Place[]>([{ name: 'jobs' }]);
  const [isHelping, setHelping] = useState(false);
  const [keys, showKeys] = useState('');
  const handler = useRef<(press: Press) => boolean>(() => false);

  const open = useCallback((place: Place) => setStack((places) => [...places, place]), []);
  const back = useCallback(() => setStack((places) => (places.length > 1 ? places.slice(0, -1) : places)), []);
  const takePresses = useCallback((taken: (press: Press) => boolean) => {
    handler.current = taken;
  }, []);

  const onPress = (press: Press): void => {
    if (press.key === 'ctrl-z') {
      suspend();
      return;
    }
    if (!hasRoom) {
      if (press.key === 'q') exit();
      return;
    }
    if (press.key === 'ctrl-r' && admission.refusal) {
      admission.askAgain();
      return;
    }
    if (isHelping) {
      setHelping(false);
      return;
    }
    if (handler.current(press)) return;
    if (press.key === '?') setHelping(true);
    else if (press.key === '1') setStack([{ name: 'jobs' }]);
    else if (press.key === '2') setStack([{ name: 'jobs' }, { name: 'runs' }]);
    else if ((press.key === 'q' || press.key === 'esc') && stack.length > 1) back();
    else if (press.key === 'q') exit();
  };
  const queue = usePressQueue(onPress);
  useInput((input, key) => queue(toPresses(input, key)));
  usePaste((text) => queue([toPaste(text)]));

  const top = header(useInstanceName(admission) + where, connection, admission, columns);
  const bodyRows = Math.max(0, rows - top.length - 1);
  const context: ScreenContextValue = {
    client: admission.client,
    ensureStarted,
    columns,
    rows: bodyRows,
    epoch: connection.epoch + admission.epoch,
    open,
    back,
    takePresses,
    showKeys,
  };
  return h(
    Box,
    // After the terminal was resized, Ink draws once before `columns` has changed. Then a row may be too wide. If it
    // wrapped, it would shift the rows below it.
    { flexDirection: 'column', width: '100%', height: rows, overflow: 'hidden' },
    ...(hasRoom
      ? top
      : [line([`flwd needs ${leastColumns}×${leastRows}; this terminal is ${columns}×${rows}`], 'no room')]),
    h(
      Box,
      { key: 'body', flexDirection: 'column', height: bodyRows, overflow: 'hidden' },
      hasRoom && isHelping && h(Box, { flexDirection: 'column' }, ...helpLines(bodyRows)),
      h(
        ScreenContext,
        { value: context },
        ...stack.map((place, depth) => screenOf(place, hasRoom && !isHelping && depth === stack.length - 1, depth)),
      ),
    ),
    footer(!hasRoom ? '' : isHelping ? 'any key: back' : `${admission.refusal ? 'Ctrl-R: try again  ' : ''}${keys}`),
  );
}

function screenOf(place: Place, isActive: boolean, depth: number): ReactElement {
  const key = `${depth} ${JSON.stringify(place)}`;
  switch (place.name) {
    case 'jobs':
      return h(JobsScreen, { key, isActive });
    case 'runs':
      return h(RunsScreen, { key, isActive });
    case 'form':
      return h(FormScreen, { key, isActive, jobId: place.jobId });
    default:
      return h(RunScreen, { key, isActive, runId: place.runId });
  }
}

/** The name of the instance for the header; empty until it is known, and for a caller who may not read it. */
function useInstanceName({ client, epoch }: Pick<Admission, 'client' | 'epoch'>): string {
  const [name, setName] = useState('');
  useEffect(() => {
    const ending = new AbortController();
    client.call('getSystemInfo', { signal: ending.signal }).then(
      (info) => setName(`${info.name}  `),
      () => undefined,
    );
    return () => ending.abort();
  }, [client, epoch]);
  return name;
}

const connectionLooks: Readonly<Record<Connection['state'], Span>> = {
  connecting: { text: '… connecting', colour: 'yellow' },
  healthy: { text: '● healthy', colour: 'green' },
  degraded: { text: '● degraded', colour: 'yellow' },
  unhealthy: { text: '● unhealthy', colour: 'red' },
  silent: { text: '… no answer yet', colour: 'yellow' },
  lost: { text: '✗ no connection, retrying', colour: 'red' },
};

function header(where: string, { state }: Connection, { refusal }: Admission, columns: number): ReactElement[] {
  if (refusal) {
    const rows = wrapped(`flwd  ${where}  ✗ refused: ${refusal.message}`, columns, mostRefusalRows);
    return rows.map((text, index) => line([{ text, colour: 'red' }], `refusal ${index}`));
  }
  const look = connectionLooks[state];
  return [
    cells(
      [{ spans: [{ text: 'flwd', isBold: true }, `  ${where}`] }, { spans: [look], width: look.text.length + 1 }],
      'where',
    ),
  ];
}

function footer(text: string): ReactElement {
  return line([{ text, colour: 'gray' }], 'keys');
}
