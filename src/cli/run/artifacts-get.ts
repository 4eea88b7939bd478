// `flwd artifacts get ARTIFACT`: saves an artifact to a file, or writes it to standard output.

import { join } from 'node:path';
import { formatSize } from '../../lib/units.ts';
import type { Options } from '../command.ts';
import { type ExitCode, exitCodes, Refusal } from '../exit-code.ts';
import { oneOperand } from '../option-values.ts';
import { withSession } from '../session/session.ts';
import { onInterrupt } from '../session/stop-signal.ts';
import { createOutput, type Output } from '../terminal/output.ts';
import { createStatusLine } from '../terminal/status-line.ts';
import { type Download, startDownload, writeOut } from './download.ts';
import { isFolder, writeNewFile } from './new-file.ts';
import { barOf } from './run-progress.ts';

const redrawMs = 200;

export async function run(options: Options, operands: readonly string[]): Promise<ExitCode> {
  const id = oneOperand(operands, 'flwd artifacts get ARTIFACT; flwd artifacts RUN lists them');
  if (!id.startsWith('artifact_'))
    throw new Refusal(
      `\`${id}\` is not the id of an artifact: flwd artifacts RUN lists the names and ids of a run's artifacts`,
    );
  const output = createOutput(options);
  const [to = '.'] = options.get('output') ?? [];
  if (to === '-' && output.isJson) throw new Refusal('--json and --output - both need standard output: choose one');
  const leaving = new AbortController();
  const release = onInterrupt(() => leaving.abort());
  try {
    return await withSession(options, async (session) => {
      const download = await startDownload(session.client, id, leaving.signal);
      const hide = showProgress(download, output);
      try {
        if (to === '-') {
          await writeOut(download);
          return exitCodes.done;
        }
        const path = isFolder(to) ? join(to, download.fileName) : to;
        await writeNewFile(path, download.chunks, { mayReplace: options.has('force') });
        hide();
        const { sizeBytes, sha256 } = download.received();
        if (output.isJson) output.json({ artifact_id: id, file: path, size_bytes: sizeBytes, sha256 });
        else output.text(`${path}\n`);
        return exitCodes.done;
      } finally {
        hide();
      }
    });
  } catch (error) {
    if (leaving.signal.aborted) return exitCodes.interrupted;
    throw error;
  } finally {
    release();
  }
}

/** Downloads that end within 200 ms show nothing. */
function showProgress({ fileName, expectedBytes, received }: Download, output: Output): () => void {
  const status = createStatusLine(!output.isQuiet);
  const redraw = setInterval(() => {
    const { sizeBytes } = received();
    const all = expectedBytes === null ? '' : ` of ${formatSize(expectedBytes)}`;
    const percent = expectedBytes ? (sizeBytes / expectedBytes) * 100 : undefined;
    const bar = percent === undefined ? '' : barOf({ percent, message: '' });
    status.show(`${fileName}  ${formatSize(sizeBytes)}${all}${bar}`);
  }, redrawMs);
  return () => {
    clearInterval(redraw);
    status.close();
  };
}
