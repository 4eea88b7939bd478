// Keys and values that people write into job files because another implementation of flwd (ADR 0052) or another program
// has them, and what to write instead.

const network = 'a job reaches services over the network: write `permissions: {network: all}`';
const limits = 'write `permissions: {resources: {memory: 512MiB}}`; `timeouts` limits the time';
const image = 'write `executor: container` and `image`, which this version does not run yet';

/** The hints for keys at the top of config.yaml. */
export const jobKeyHints: Readonly<Record<string, string>> = {
  cmd: 'write `command`',
  run: 'write `command: ./run.sh`, or `command: [..]` for a program of the host',
  depends_on: 'only steps depend on each other, with `needs`; `triggers` starts a job after another job',
  user: 'write `run_as`',
  working_dir: 'a run starts in its own workspace: change the folder in the script, with `cd`',
  on_failure: 'write `notify: [{channel: NAME, on: [failed]}]`, or a step with `always: true`',
  env_file: 'name the variables in `env`; a password belongs in a stored secret',
  serviceBindings: `${network}, and pass their addresses as arguments or in \`env\``,
  interpreter: 'write `command: ./run.sh`; its ending, its `#!` line or `ulc_profile` names the language',
  script: 'put the commands into a file such as ./run.sh, and write `command: ./run.sh`',
  timeout: 'write `timeouts: {run: 30s}`',
  limits,
  resources: limits,
  network: 'write `permissions: {network: all}`',
  error_handling: 'write `retry: {limit: 2, delay: 1s}`, or `continue_on_error: true` in a step',
  env_inheritance: 'name the variables in `env`, or in `env_passthrough` of the profile `permissive` in flwd.yaml',
  container: image,
  aliases: 'aliases are in flwd.yaml, as `aliases: [{from: id, to: name}]`',
  id: 'the id of a job is the path of its folder in the source',
  job: 'the id of a job is the path of its folder; write `name` for its title',
};

/** The hints for keys of a step. */
export const stepKeyHints: Readonly<Record<string, string>> = {
  cmd: 'write `command`',
  depends_on: 'write `needs`',
  run: 'did you mean `command: [..]`, or `script: ./file` for a file of the job?',
  executor: 'all steps of a job have the `executor` of the job',
  container: image,
  interpreter: 'write `script: ./file`; its ending or its `#!` line names the language',
};

/** The hints for keys of a step's approval. */
export const approvalKeyHints: Readonly<Record<string, string>> = {
  timeout: 'write `timeout` in the step, beside `approval`',
};

export const standardOnly = '`standard`: a job gets more rights with `security_profile` or `permissions`';
export const immutableOnly =
  '`immutable`: for data that one run leaves to the next, use the key-value store (`flwd_kv_set`)';

/** The hints for settings that this version reads but does not act on. */
const laterHints: Readonly<Record<string, string>> = {
  'executor: container': 'install on the host what the script needs, and leave `executor` and `image` out',
  'ulc_profile: ulc.shell.pwsh':
    'write `command: [pwsh, -NoProfile, -NonInteractive, -File, ./main.ps1]` without `ulc_profile`; the script then reads its arguments from $env:FLWD_ARG_NAME or the file $env:FLWD_ARGS_FILE',
  'artifacts.default_key_pattern': 'leave it out; `flwd artifacts RUN` lists the artifacts of a run by name',
};

export function insteadOf(setting: string): string {
  return laterHints[setting] ?? 'leave it out';
}
