// The things that a script uses besides its arguments: files of the host, the network, other services. The sandbox
// hides all of them unless the job asks for them.

import type { SecurityProfile } from '../../domain/job.ts';
import type { Place } from './place.ts';

export type FileUse = {
  readonly kind: 'read' | 'write';
  readonly place: Place;
  readonly line: number;
  /** The program or function that uses the file, such as `tee` or `open`. */
  readonly by: string;
  /** True if the script creates a file with this name. False for a folder, and for a file that must exist already. */
  readonly isNewFile: boolean;
};

/** Describes a need of the script that no permission can meet, and what to do instead. */
export type Note = {
  readonly text: string;
  /** The note applies only to profiles that are stricter than this one; undefined: it applies to all profiles. */
  readonly fineIn?: SecurityProfile;
};

/** The notes that apply in a profile. */
export function notesIn(profile: SecurityProfile, notes: readonly Note[]): string[] {
  const profiles: readonly SecurityProfile[] = ['secure', 'permissive', 'disabled'];
  return notes
    .filter(({ fineIn }) => fineIn === undefined || profiles.indexOf(profile) < profiles.indexOf(fineIn))
    .map(({ text }) => text);
}

export type Lock = {
  readonly onConflict: 'reject' | 'queue';
  readonly line: number;
  /** The path of the lock file; undefined if it is known only at run time. */
  readonly file: string | undefined;
  /**
   * How many seconds the script waits for the lock, as in the script; undefined if it waits without a limit or not at
   * all.
   */
  readonly waits: string | undefined;
};

/** A call of another script. `words` and `folder` have marks (`place.ts`). */
export type Call = {
  readonly path: string;
  readonly words: readonly string[];
  /** The folder that the caller has changed to; undefined if it has not changed the folder. */
  readonly folder: string | undefined;
};

/** Such as `rsync` or /srv/backup.sh; `text` says that it is missing. */
export type Missing = { readonly text: string; readonly line: number; readonly isOfHome: boolean };

export type Uses = {
  readonly files: readonly FileUse[];
  /** `line 12: rsync`; undefined if the script seems not to use the network. */
  readonly network: string | undefined;
  /** Files that the script leaves in the folder in which it starts. */
  readonly left: readonly string[];
  /** Files that the script reads in the folder in which it starts. */
  readonly here: readonly { readonly name: string; readonly line: number }[];
  /** The lock that the script takes, and what the script does while another run of it has the lock. */
  readonly lock: Lock | undefined;
  readonly notes: readonly Note[];
  /** The names of the programs that a shell script calls. */
  readonly programs: readonly string[];
  /** The programs and scripts that a shell script calls and that this host does not have. */
  readonly missing: readonly Missing[];
  /** The scripts that a shell script calls. */
  readonly calls: readonly Call[];
  /** The variables of a shell script, with marks. A script that it calls may use them. */
  readonly variables: ReadonlyMap<string, string>;
};

export const noUses: Uses = {
  files: [],
  network: undefined,
  left: [],
  here: [],
  lock: undefined,
  notes: [],
  programs: [],
  missing: [],
  calls: [],
  variables: new Map(),
};
