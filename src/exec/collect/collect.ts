// Finds the files that a run wants to keep: files that its steps named, files that match the job's patterns, and
// everything in /workspace/artifacts. All known processes of the run have ended. A process that escaped may still
// replace files, so a link that appears now is not followed, and the blob store checks again
// (src/store/blobs/blobs.ts).

import { lstatSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import type { ArtifactPattern } from '../../domain/job.ts';
import { createYielder } from '../../lib/yielder.ts';
import { createArtifactGlob } from './artifact-glob.ts';
import type { LastChange } from './changed-by.ts';
import { mediaTypeOf } from './media-type-by-ending.ts';
import { readNamedArtifacts } from './named-artifacts.ts';
import {
  type BytePath,
  isText,
  onHost,
  type Resolved,
  resolvePath,
  statEntry,
  toText,
  withoutControls,
} from './sandbox-paths.ts';
import { walkWorkspace } from './workspace-walk.ts';

/** An attempt that may have named files. */
export type Namer = { readonly stepId: string; readonly attempt: number; readonly attemptDir: string };

export type FoundArtifact = {
  /** The path on the host; bytes if it is not text. */
  readonly hostPath: string | Buffer;
  /** The path in the sandbox, `/workspace/…`, in a form that is safe to show. */
  readonly path: string;
  readonly name: string;
  readonly mediaType: string;
  readonly sizeBytes: number;
  /** The attempt that named the file; null if no attempt named it. */
  readonly namer: Namer | null;
  readonly change: LastChange;
};

export type ArtifactWarning = { readonly text: string; readonly namer: Namer | null };

type Claim = {
  readonly path: BytePath;
  /** null if the path may contain a link. Then the path must be followed first. */
  readonly found: Resolved | null;
  readonly name: string | null;
  readonly mediaType: string | null;
  readonly namer: Namer | null;
};
type Warn = (text: string, namer?: Namer) => void;
type Workspace = { readonly workspaceDir: string; readonly patterns: readonly ArtifactPattern[] };

const mostFiles = 10_000;
const mostWarnings = 100;
const longestNameCharacters = 255;
export const artifactsFolder = 'artifacts';

/**
 * Finds each file once: under the first name that an attempt gave it, or else by the first pattern that matches. Throws
 * only if the host fails. Mistakes of the job become warnings in the run's log.
 * @param o.namers in order of precedence
 */
export async function findArtifacts(o: Workspace & { readonly namers: readonly Namer[] }): Promise<{
  files: readonly FoundArtifact[];
  warnings: readonly ArtifactWarning[];
  /** The paths of all files that were found, including those that cannot be read. */
  places: ReadonlySet<BytePath>;
}> {
  const { warnings, warn } = createWarnings();
  const chosen = new Map<BytePath, Claim & { readonly stats: Stats; readonly isReadable: boolean }>();
  const maybeYield = createYielder();
  for await (const claim of claimsOf(o, warn)) {
    if (chosen.size === mostFiles) {
      warn(tooMany);
      break;
    }
    await maybeYield();
    const found = claim.found ?? (await resolvePath(o.workspaceDir, claim.path, maybeYield));
    const error = found.kind === 'found' ? errorOfKind(found.stats) : errors[found.kind];
    if (found.kind !== 'found' || error)
      warn(`${toShown(claim.path)} ${error} and was not kept`, claim.namer ?? undefined);
    else if (!chosen.has(found.path)) chosen.set(found.path, { ...claim, ...found });
  }

  const files: FoundArtifact[] = [];
  for (const [path, claim] of chosen) {
    const { namer, stats, isReadable } = claim;
    const given = onHost(o.workspaceDir, path);
    const hostPath = isText(path) ? given.toString() : given;
    if (isReadable)
      files.push({ hostPath, ...toShownArtifact(path, claim), sizeBytes: stats.size, namer, change: toChange(stats) });
    else warn(`${toShown(path)} ${errors.unreadable} and was not kept`, namer ?? undefined);
  }
  return { files, warnings, places: new Set(chosen.keys()) };
}

/** Reads one list at a time, because each may be as large as its limit. */
async function* claimsOf(o: Parameters<typeof findArtifacts>[0], warn: Warn): AsyncGenerator<Claim> {
  for (const namer of o.namers) {
    const named = readNamedArtifacts(join(namer.attemptDir, 'out'), (text) => warn(text, namer));
    for (const artifact of named) yield { ...artifact, found: null, namer };
  }
  yield* await claimsByPlace(o, warn);
}

const tooMany = `more than ${mostFiles} artifacts: the others were not kept`;
const errors = {
  outside: 'leads out of the workspace',
  missing: 'does not exist, or is a broken link,',
  unreadable: 'cannot be read',
};

function errorOfKind(stats: Stats): string | undefined {
  if (stats.isFile()) return undefined;
  if (stats.isDirectory()) return 'is a folder';
  if (stats.isFIFO()) return 'is a pipe';
  return stats.isSocket() ? 'is a socket' : 'is a device';
}

/**
 * Returns the files that match a pattern, in the order of the patterns, and then the content of the artifacts folder.
 * Each of these groups is sorted by path.
 */
async function claimsByPlace(o: Workspace, warn: Warn): Promise<Claim[]> {
  const rules = o.patterns.map((pattern) => ({ ...pattern, glob: createArtifactGlob(pattern.path) }));
  const byRank: Claim[][] = Array.from({ length: rules.length + 1 }, () => []);
  let count = 0;
  // Without patterns only this folder matters. The job may have left any number of files elsewhere.
  const from = rules.length > 0 ? '' : artifactsFolder;
  if (!mayBeFolder(onHost(o.workspaceDir, from))) return [];
  const entries = walkWorkspace({
    workspaceDir: o.workspaceDir,
    from,
    enters: (folder) => isArtifactsFolder(folder) || rules.some(({ glob }) => glob.reachesBelow(toText(folder))),
    onError: (folder, error) => warn(`${toShown(folder)} ${walkErrors[error]}`),
  });
  for await (const { path, pinnedPath, isLink } of entries) {
    const text = toText(path);
    const rank = rules.findIndex(({ glob }) => glob.matches(text));
    const rule = rules[rank];
    if (!rule && !path.startsWith(`${artifactsFolder}/`)) continue;
    const found = isLink ? null : statEntry(pinnedPath, path);
    // `rank` is -1 for a file that matches no pattern, and `at(-1)` returns the last group.
    byRank.at(rank)?.push({ path, found, name: rule?.name ?? null, mediaType: rule?.mediaType ?? null, namer: null });
    if (++count > mostFiles) {
      warn(tooMany);
      break;
    }
  }
  return byRank.flatMap((claims) => claims.toSorted((a, b) => (a.path < b.path ? -1 : 1)));
}

const walkErrors = {
  unreadable: 'cannot be read; its content was not kept',
  'too-many': 'and the entries after it were not searched for artifacts: there are more than a million files',
};

/** The walk itself reports entries that cannot be read. */
function mayBeFolder(path: Buffer): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
  } catch {
    return true;
  }
}

function isArtifactsFolder(folder: BytePath): boolean {
  return folder === artifactsFolder || folder.startsWith(`${artifactsFolder}/`);
}

function toChange({ birthtimeMs, mtimeMs, ctimeMs }: Stats): LastChange {
  return { birthtimeMs, mtimeMs, ctimeMs };
}

function toShownArtifact(path: BytePath, claim: Claim): Pick<FoundArtifact, 'path' | 'name' | 'mediaType'> {
  const ownName = toName(toText(path)) || 'unnamed';
  const name = toName(claim.name ?? '') || ownName;
  const mediaType = claim.mediaType ?? mediaTypeOf(ownName) ?? mediaTypeOf(name) ?? 'application/octet-stream';
  return { path: toShown(path), name, mediaType };
}

/**
 * The last segment, without characters that could break a line or a header, or change the direction of text. Returns an
 * empty text when nothing remains.
 */
function toName(text: string): string {
  const name = withoutControls(text.slice(text.lastIndexOf('/') + 1));
  return ['', '.', '..'].includes(name.trim()) ? '' : name.slice(0, longestNameCharacters).toWellFormed();
}

function toShown(path: BytePath): string {
  return withoutControls(path.startsWith('/') ? toText(path) : `/workspace/${toText(path)}`);
}

function createWarnings(): { warnings: readonly ArtifactWarning[]; warn: Warn } {
  const warnings: ArtifactWarning[] = [];
  const seen = new Set<string>();
  return {
    warnings,
    warn(text, namer) {
      const key = `${namer?.stepId} ${text}`;
      if (seen.has(key) || seen.size > mostWarnings) return;
      seen.add(key);
      if (seen.size <= mostWarnings) warnings.push({ text, namer: namer ?? null });
      else warnings.push({ text: 'there are more warnings about artifacts, which are not shown', namer: null });
    },
  };
}
