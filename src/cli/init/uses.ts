// The things that a script uses besides its arguments: files of the host, the network, other services. The sandbox
// hides all of them unless the job asks for them.

import type { SecurityProfile } from '../../domain/job.ts';
import type { Place } from './place.ts';

export type FileUse = {
  readonly kind: 'read' | 'write';
  readonly place: Place;
  readonly line: number;
  /** What the script does there, as people know it: `tee`, `open`. */
  readonly by: string;
  /** The script makes a file of this name; otherwise a folder, or something that exists. */
  readonly isNewFile: boolean;
};

/** Something that no permission makes possible, and what to do instead. */
export type Note = {
  readonly text: string;
  /** The strictest profile in which nothing has to be done. */
  readonly fineIn?: SecurityProfile;
};

/** The notes that hold in a profile. */
export function notesIn(profile: SecurityProfile, notes: readonly Note[]): string[] {
  const profiles: readonly SecurityProfile[] = ['secure', 'permissive', 'disabled'];
  return notes
    .filter(({ fineIn }) => fineIn === undefined || profiles.indexOf(profile) < profiles.indexOf(fineIn))
    .map(({ text }) => text);
}

export type Lock = {
  readonly onConflict: 'reject' | 'queue';
  readonly line: number;
  /** The path of the lock file; undefined if the text does not say it. */
  readonly file: string | undefined;
  /** Seconds after which the script no longer waits, as written. */
  readonly waits: string | undefined;
};

export type Uses = {
  readonly files: readonly FileUse[];
  /** `line 12: rsync`; undefined if the script seems not to use the network. */
  readonly network: string | undefined;
  /** Files left in the folder in which the script starts. */
  readonly left: readonly string[];
  /** Files that the script reads in the folder in which it starts. */
  readonly here: readonly { readonly name: string; readonly line: number }[];
  /** What the script does while another run of it goes on, if it takes a lock. */
  readonly lock: Lock | undefined;
  readonly notes: readonly Note[];
  /** The names of the programs that a shell script calls. */
  readonly programs: readonly string[];
};

export const noUses: Uses = {
  files: [],
  network: undefined,
  left: [],
  here: [],
  lock: undefined,
  notes: [],
  programs: [],
};
