// Finds the files that a finished script wants kept: what it named, what the job's patterns match, and all of
// /workspace/artifacts. Its processes are gone, so what is found stays what it is until it is stored.

import type { Stats } from 'node:fs';
import { access, constants, mkdtemp, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { ArtifactPattern } from '../domain/job.ts';
import { createArtifactGlob } from './artifact-glob.ts';
import { mediaTypeOf } from './media-type-by-ending.ts';
import { readNamedArtifacts } from './named-artifacts.ts';
import { type BytePath, faultOf, isText, onHost, resolvePath, statPath, toText } from './sandbox-paths.ts';
import { walkWorkspace } from './workspace-walk.ts';

export type FoundArtifact = {
  readonly hostPath: string;
  /** `/workspace/…`, fit to be shown. */
  readonly path: string;
  readonly name: string;
  readonly mediaType: string;
  readonly sizeBytes: number;
};

type Claim = {
  readonly path: BytePath;
  /** Whether a link may be part of the path. */
  readonly isLink: boolean;
  readonly name: string | null;
  readonly mediaType: string | null;
};
type Warn = (warning: string) => void;
type Folders = { readonly workspaceDir: string; readonly outDir: string };

/** What the script named, what lies in the workspace, or both. */
export type ArtifactPlaces = 'named' | 'workspace' | 'all';

const mostFiles = 10_000;
const mostWarnings = 100;
const longestNameCharacters = 255;
const artifactsFolder = 'artifacts';

/**
 * A file is taken once: as the script named it, else as the first pattern that matches does. Throws only where the host
 * fails; what the script left wrong is a warning for the run's log.
 */
export async function findArtifacts(
  o: Folders & { readonly patterns: readonly ArtifactPattern[]; readonly places?: ArtifactPlaces },
): Promise<{ files: readonly FoundArtifact[]; warnings: readonly string[] }> {
  const { warnings, warn } = createWarnings();
  const { places = 'all' } = o;
  const named = places === 'workspace' ? [] : readNamedArtifacts(o.outDir, warn);
  const placed = places === 'named' ? [] : await claimsByPlace(o, warn);
  const claims = [...named.map((artifact) => ({ ...artifact, isLink: true })), ...placed];

  const chosen = new Map<BytePath, Claim & { readonly sizeBytes: number }>();
  for (const claim of claims) {
    if (chosen.size === mostFiles) {
      warn(tooMany);
      break;
    }
    const found = await (claim.isLink ? resolvePath : statPath)(o.workspaceDir, claim.path);
    const fault = found.kind === 'found' ? faultOfKind(found.stats) : faults[found.kind];
    if (found.kind !== 'found' || fault) warn(`${toShown(claim.path)} ${fault} and was left`);
    else if (!chosen.has(found.path)) chosen.set(found.path, { ...claim, sizeBytes: found.stats.size });
  }

  const files: FoundArtifact[] = [];
  for (const [path, claim] of chosen) {
    const hostPath = await toHostPath(o, path);
    if (hostPath) files.push({ hostPath, ...toShownArtifact(path, claim), sizeBytes: claim.sizeBytes });
    else warn(`${toShown(path)} ${faults.unreadable} and was left`);
  }
  return { files, warnings: [...warnings] };
}

const tooMany = `more than ${mostFiles} artifacts: the rest was left`;
const faults = {
  outside: 'leads out of the workspace',
  missing: 'is not there, or a link to nothing,',
  unreadable: 'cannot be read',
};

function faultOfKind(stats: Stats): string | undefined {
  if (stats.isFile()) return undefined;
  if (stats.isDirectory()) return 'is a folder';
  if (stats.isFIFO()) return 'is a pipe';
  return stats.isSocket() ? 'is a socket' : 'is a device';
}

/** By pattern, in the job's order, then what lies in the artifacts folder; within each by path. */
async function claimsByPlace(
  o: { readonly workspaceDir: string; readonly patterns: readonly ArtifactPattern[] },
  warn: Warn,
): Promise<Claim[]> {
  const rules = o.patterns.map((pattern) => ({ ...pattern, glob: createArtifactGlob(pattern.path) }));
  const byRank: Claim[][] = Array.from({ length: rules.length + 1 }, () => []);
  let count = 0;
  const entries = walkWorkspace({
    workspaceDir: o.workspaceDir,
    enters: (folder) => isArtifactsFolder(folder) || rules.some(({ glob }) => glob.reachesBelow(toText(folder))),
    onFault: (folder, fault) => warn(`${toShown(folder)} ${walkFaults[fault]}`),
  });
  for await (const { path, isLink } of entries) {
    const text = toText(path);
    const rank = rules.findIndex(({ glob }) => glob.matches(text));
    const rule = rules[rank];
    if (!rule && !path.startsWith(`${artifactsFolder}/`)) continue;
    // No pattern is -1, and so the last rank.
    byRank.at(rank)?.push({ path, isLink, name: rule?.name ?? null, mediaType: rule?.mediaType ?? null });
    if (++count > mostFiles) {
      warn(tooMany);
      break;
    }
  }
  return byRank.flatMap((claims) => claims.toSorted((a, b) => (a.path < b.path ? -1 : 1)));
}

const walkFaults = {
  unreadable: 'cannot be read; what is in it was left',
  'too-many': 'and what follows was not searched for artifacts: there are more than a million files',
};

function isArtifactsFolder(folder: BytePath): boolean {
  return folder === artifactsFolder || folder.startsWith(`${artifactsFolder}/`);
}

/** undefined when it cannot be read. A file whose path is no text is moved aside under one that is: others speak strings. */
async function toHostPath(o: Folders, path: BytePath): Promise<string | undefined> {
  const given = onHost(o.workspaceDir, path);
  try {
    await access(given, constants.R_OK);
    if (isText(path)) return given.toString();
    const aside = join(await mkdtemp(join(o.outDir, 'unnamed-')), 'file');
    await rename(given, aside);
    return aside;
  } catch (error) {
    faultOf(error);
    return undefined;
  }
}

function toShownArtifact(path: BytePath, claim: Claim): Pick<FoundArtifact, 'path' | 'name' | 'mediaType'> {
  const ownName = toName(toText(path)) || 'unnamed';
  const name = toName(claim.name ?? '') || ownName;
  const mediaType = claim.mediaType ?? mediaTypeOf(ownName) ?? mediaTypeOf(name) ?? 'application/octet-stream';
  return { path: toShown(path), name, mediaType };
}

/** The last segment, without what could break a line, a header or the direction of a text. Empty when nothing is left. */
function toName(text: string): string {
  const name = withoutControls(text.slice(text.lastIndexOf('/') + 1));
  return ['', '.', '..'].includes(name.trim()) ? '' : name.slice(0, longestNameCharacters).toWellFormed();
}

function toShown(path: BytePath): string {
  return withoutControls(path.startsWith('/') ? toText(path) : `/workspace/${toText(path)}`);
}

function withoutControls(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/gu, '_');
}

function createWarnings(): { warnings: Iterable<string>; warn: Warn } {
  const warnings = new Set<string>();
  return {
    warnings,
    warn(warning) {
      warnings.add(warnings.size < mostWarnings ? warning : 'there are more warnings about artifacts than are shown');
    },
  };
}
