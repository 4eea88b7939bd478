// The list of files that a script named with flwd_artifact. It consists of JSON lines in the out folder. The script
// could also write the list directly.

import { isUtf8 } from 'node:buffer';
import { join } from 'node:path';
import { isMediaType } from '../../domain/media-type.ts';
import { type BytePath, toBytePath, toText } from './sandbox-paths.ts';
import { readUntrustedFile } from './untrusted-file.ts';

export type NamedArtifact = {
  readonly path: BytePath;
  readonly name: string | null;
  readonly mediaType: string | null;
};

const maxSizeBytes = 8 * 1024 * 1024;
const longestPathBytes = 4096;
const newline = 10;

export function readNamedArtifacts(outDir: string, warn: (warning: string) => void): NamedArtifact[] {
  const file = readUntrustedFile(join(outDir, 'artifacts'), maxSizeBytes);
  if (file.kind === 'refused') warn(`the list that flwd_artifact writes ${file.why}; the files it names were not kept`);
  if (file.kind !== 'bytes') return [];
  return linesOf(file.bytes).flatMap((line, index) => {
    if (line.length === 0) return [];
    const artifact = parseLine(line);
    if (!artifact) {
      warn(`flwd_artifact: entry ${index + 1} of its list cannot be read`);
      return [];
    }
    if (artifact.mediaType === null || isMediaType(artifact.mediaType)) return [artifact];
    warn(
      `flwd_artifact: entry ${index + 1} of its list has a --type that is not a media type; the file’s ending decides instead`,
    );
    return [{ ...artifact, mediaType: null }];
  });
}

function linesOf(bytes: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf(newline, at);
    lines.push(bytes.subarray(at, end < 0 ? bytes.length : end));
    at = end < 0 ? bytes.length : end + 1;
  }
  return lines;
}

function parseLine(line: Buffer): NamedArtifact | undefined {
  // The shell writes a file's name as it is. A name that is not UTF-8 makes a line that is not UTF-8.
  const isText = isUtf8(line);
  let value: unknown;
  try {
    value = JSON.parse(line.toString(isText ? 'utf8' : 'latin1'));
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null || !('path' in value) || typeof value.path !== 'string')
    return undefined;
  const path = isText ? toBytePath(value.path) : value.path;
  if (path.length > longestPathBytes) return undefined;
  const toMember = (member: unknown) => (typeof member !== 'string' ? null : isText ? member : toText(member));
  return {
    path,
    name: toMember('name' in value ? value.name : null),
    mediaType: toMember('media_type' in value ? value.media_type : null),
  };
}
