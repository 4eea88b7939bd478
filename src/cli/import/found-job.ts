// A job that was found in another scheduler, before it is written as a job of flwd. Each importer produces this form,
// so the rest of the folder does not know where a job comes from.

type ImportKind = 'crontab' | 'systemd-timers' | 'cronicle' | 'rundeck' | 'dagu';

export type Origin = {
  readonly kind: ImportKind;
  /**
   * The place where the job was found, such as `the crontab of ada` or `/etc/cron.d/certs`. Every import names a place
   * in the same way.
   */
  readonly place: string;
  /** Counted from 1; null if the other scheduler has no lines. */
  readonly line: number | null;
  /** The original text. It may contain passwords: pass it through `withoutSecrets` before it is shown or stored. */
  readonly text: string;
};

/** A program that becomes a file of the job. The command that runs it is `[...interpreter, ./file]`. */
export type FoundCommand = {
  /** Unique within the job, such as `command.sh`. */
  readonly file: string;
  readonly text: string;
  /** For example `[/bin/sh]`, if that is the other scheduler's shell. It is less strict than the shell of a job. */
  readonly interpreter: readonly string[];
  /** Passwords in a shell script become variables. A job with passwords in any other language is not imported. */
  readonly isShell: boolean;
  /**
   * The end of a command that sends all its output to a log file: `>> ~/x.log 2>&1`. flwd does not need it, because it
   * stores the output itself.
   */
  readonly logging?: string | undefined;
  /**
   * Lines for /bin/sh that come before the program: they set variables, or the words that the program is called with.
   */
  readonly setup?: readonly string[];
};

export type FoundStep = {
  readonly id: string;
  /** Its other keys, as in config.yaml: `needs`, `retry`. */
  readonly settings: Readonly<Record<string, unknown>>;
} & (
  | { readonly command: FoundCommand; readonly job?: undefined }
  | {
      readonly command?: undefined;
      /** The name of another job that was found. */
      readonly job: string;
      readonly args: Readonly<Record<string, unknown>>;
    }
);

export type FoundArgument = {
  readonly name: string;
  readonly schema: Readonly<Record<string, unknown>>;
  readonly isRequired: boolean;
  /**
   * The environment variable in which the program expects a secret. Arguments that are not secret are in FLWD_ARG_NAME.
   */
  readonly secretVariable?: string;
};

export type FoundSchedule = {
  readonly cron: string;
  readonly timezone: string;
  /** Its other keys, as in config.yaml: `args`, `catch_up`, `jitter`. */
  readonly settings?: Readonly<Record<string, unknown>>;
};

export type FoundJob = {
  readonly kind: 'job';
  /** The name that people know. The job's folder is named after it. */
  readonly name: string;
  readonly description?: string | undefined;
  readonly origin: Origin;
  readonly program: FoundCommand | readonly FoundStep[];
  readonly environment: Readonly<Record<string, string>>;
  readonly schedules: readonly FoundSchedule[];
  /** The user that the job ran as; null if the other scheduler does not say. */
  readonly user: string | null;
  /** The home folder of `user`. The job started in this folder. */
  readonly home: string | null;
  readonly arguments: readonly FoundArgument[];
  /** Other keys of config.yaml: `timeouts`, `retry`, `concurrency`. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Differences in flwd, and parts that were not carried over: sentences without their full stop. */
  readonly notes: readonly string[];
};

/** Something that does not become a job, with everything that keeps it from becoming one. */
export type FoundNothing = { readonly kind: 'nothing'; readonly origin: Origin; readonly obstacles: readonly string[] };

export type Found = FoundJob | FoundNothing;

export function commandsOf({ program }: Pick<FoundJob, 'program'>): readonly FoundCommand[] {
  return 'file' in program ? [program] : program.flatMap(({ command }) => command ?? []);
}

/** The names of the jobs that the job's steps run. */
export function jobsStartedBy({ program }: Pick<FoundJob, 'program'>): readonly string[] {
  return 'file' in program ? [] : program.flatMap(({ job }) => job ?? []);
}
