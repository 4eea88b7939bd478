// A program that an attempt starts.

export type UlcProfile = 'ulc.shell.bash' | 'ulc.shell.pwsh' | 'ulc.python.3' | 'ulc.node' | 'ulc.exec';

export type CommandAction = {
  readonly kind: 'command';
  /** The program and its arguments. A word that starts with `./` is relative to the job's directory. */
  readonly command: readonly string[];
  readonly ulcProfile: UlcProfile;
};
