// The environment of an attempt: exactly this, from the shim down to the script.

import { isSecretName } from '../../lib/secret-name.ts';
import type { AttemptSpec } from '../attempt-spec.ts';
import { placesOf } from '../script-places.ts';
import { toShellText } from '../shell-text.ts';

type Environment = Record<string, string>;

/** `isPrivate`: it is a secret or may hold one, and is written nowhere. */
export type Variable = { readonly name: string; readonly value: string; readonly isPrivate: boolean };

/** The kernel refuses to start a program with a longer `NAME=value` (execve(2), MAX_ARG_STRLEN), its zero byte included. */
const longestVariableBytes = 128 * 1024;

export const systemPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** flwd's own, what describes the shell that the server was started from, and what no shell can set. */
const serverOwn = /^(?:FLWD_.*|FLOWD_.*|_|B?A?SH.*OPTS|SHLVL|PWD|OLDPWD|UID|EUID|PPID|BASH_.*|.*[^A-Za-z0-9_].*)$/;

export function attemptEnvironment(spec: AttemptSpec): Variable[] {
  const variables = new Map<string, Variable>();
  const add = (environment: Environment, isPrivate: boolean): void => {
    for (const [name, value] of Object.entries(environment)) variables.set(name, { name, value, isPrivate });
  };
  const ofHost = hostVariables(spec);
  const { plain, secret } = jobVariables(spec);
  const places = placesOf(spec);
  add({ LANG: 'C.UTF-8' }, false);
  add(ofHost, true);
  add(
    { PATH: `${places.bin}:${ofHost.PATH ?? systemPath}`, HOME: places.workspace, ...argumentVariables(spec) },
    false,
  );
  add(plain, false);
  add(secret, true);
  // Of what earlier steps gave out.
  add(spec.variables, true);
  add(
    {
      FLWD_RUN_ID: spec.runId,
      FLWD_JOB_ID: spec.jobId,
      FLWD_STEP_ID: spec.stepId,
      FLWD_TENANT: spec.tenant,
      FLWD_ATTEMPT: String(spec.attempt),
      FLWD_WORKSPACE: places.workspace,
      FLWD_JOB_DIR: places.job,
      FLWD_ARGS_FILE: `${places.in}/args.json`,
      FLWD_RESULT_FILE: `${places.out}/result.json`,
      FLWD_OUTPUT_FILE: `${places.out}/output`,
      FLWD_ARTIFACTS_DIR: `${places.workspace}/artifacts`,
      FLWD_SECRETS_DIR: places.secrets,
      // Bash reads this file first, and the file takes the variable away again: only the job's own shell is prepared.
      ...(spec.action.ulcProfile === 'ulc.shell.bash' ? { BASH_ENV: places.prelude } : {}),
    },
    false,
  );
  return [...variables.values()];
}

function hostVariables({ profile, passthrough }: AttemptSpec): Environment {
  // To list process.env takes 0.2 ms, so only the profile that hands on all of it does.
  const names = profile === 'disabled' ? Object.keys(process.env).filter((name) => !isSecretName(name)) : passthrough;
  const variables: Environment = {};
  for (const name of names) {
    const value = serverOwn.test(name) ? undefined : process.env[name];
    if (value !== undefined) variables[name] = value;
  }
  return variables;
}

/** FLWD_ARG_<NAME> for each scalar; one that is too long is in the file alone. */
function argumentVariables({ args }: AttemptSpec): Environment {
  const variables: Environment = {};
  for (const [name, value] of Object.entries(args)) {
    if (typeof value === 'object' && value !== null) continue;
    const variable = `FLWD_ARG_${name.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_')}`;
    const text = toShellText(value);
    if (Buffer.byteLength(`${variable}=${text}`) < longestVariableBytes) variables[variable] = text;
  }
  return variables;
}

function jobVariables({ job, secrets }: AttemptSpec): { readonly plain: Environment; readonly secret: Environment } {
  const plain: Environment = {};
  const secret: Environment = {};
  for (const [name, value] of Object.entries(job.env)) {
    if (typeof value === 'string') plain[name] = value;
    else {
      const text = secrets.get(value.secret);
      if (text !== undefined) secret[name] = text;
    }
  }
  return { plain, secret };
}
