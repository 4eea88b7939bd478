// Knows which words after well-known programs are files that they read or write, and which programs use the network.

export type OperandUse = {
  readonly kind: 'read' | 'write';
  readonly word: string;
  /** The program creates a file with this name. */
  readonly isNewFile: boolean;
  /** The word is certainly a path. */
  readonly isCertain: boolean;
};

const wrappers = /^(?:sudo|doas|nice|ionice|nohup|timeout|env|command|builtin|exec|chronic|stdbuf|setsid|xargs|time)$/;

/** `sudo /usr/bin/nice -n 5 rsync …` runs rsync. */
export function withoutWrappers(words: readonly string[]): {
  readonly words: readonly string[];
  readonly isSudo: boolean;
} {
  let at = 0;
  let isSudo = false;
  for (;;) {
    const wrapper = words[at]?.replace(/^(?:\/usr)?\/bin\//, '') ?? '';
    if (!wrappers.test(wrapper)) break;
    isSudo ||= wrapper === 'sudo' || wrapper === 'doas';
    at += 1;
    while (words[at]?.startsWith('-')) at += takesValue(wrapper, words[at] ?? '') ? 2 : 1;
    if (wrapper === 'timeout') at += 1;
    if (wrapper === 'env') while (/^\w+=/.test(words[at] ?? '')) at += 1;
  }
  return { words: words.slice(at), isSudo };
}

function takesValue(wrapper: string, option: string): boolean {
  if (wrapper === 'sudo' || wrapper === 'doas') return /^-[ugCDhpRrTtU]$/.test(option);
  if (wrapper === 'xargs') return /^-[IndELPs]$/.test(option);
  if (wrapper === 'env') return /^-[uC]$/.test(option);
  return /^(?:nice|ionice|timeout|stdbuf)$/.test(wrapper) && /^-[nckspioe]$/.test(option);
}

const online =
  /^(?:ssh|sftp|curl|wget|ping|nc|ncat|telnet|dig|nslookup|aws|gsutil|gcloud|az|kubectl|helm|psql|pg_dump|pg_dumpall|pg_restore|mysql|mysqldump|mariadb|mariadb-dump|redis-cli|mongodump|mongosh|restic|rclone|apt|apt-get|pip3?|npm|gh)$/;

/** @param operands with marks (`place.ts`) */
export function isOfNetwork(program: string, operands: readonly string[]): boolean {
  if (online.test(program)) return true;
  if (program === 'git') return operands.some((word) => /^(?:push|pull|fetch|clone|ls-remote)$/.test(word));
  if (program === 'openssl') return operands.includes('s_client');
  // A path on another machine has the form HOST:PATH. It may also be in a variable.
  if (/^(?:rsync|scp|borg)$/.test(program)) return operands.some((word) => /:|^\uE002/.test(word));
  return false;
}

const writeAll =
  /^(?:mkdir|touch|tee|rm|rmdir|chmod|chown|chgrp|truncate|unlink|shred|mv|gzip|gunzip|xz|unxz|bzip2|zstd|sqlite3|install|mkfifo)$/;
/** Programs that replace a file by its packed or unpacked form, unless an option makes them print it. */
const packs = /^(?:gzip|gunzip|xz|unxz|bzip2|zstd)$/;
const modeFirst = /^(?:chmod|chown|chgrp)$/;
const makesFile = /^(?:touch|tee|truncate|sqlite3)$/;
const readThenWrite = /^(?:cp|rsync|scp|ln)$/;
const saysOnly =
  /^(?:echo|printf|logger|exit|return|trap|set|shift|sleep|date|read|kill|wait|unset|alias|exec|true|false|break|continue|ssh|psql|curl|wget)$/;
const patternFirst = /^(?:e?grep|fgrep|rg|awk|gawk|sed|jq|perl|tr|cut)$/;

/** Options whose value is a file that the program writes. */
const outputOptions = new Map<string, RegExp>(
  Object.entries({
    curl: /^(?:-o|--output|-D|--dump-header|-c|--cookie-jar)$/,
    wget: /^(?:-O|--output-document|-o|--output-file|-P|--directory-prefix)$/,
    pg_dump: /^(?:-f|--file)$/,
    pg_dumpall: /^(?:-f|--file)$/,
    mysqldump: /^(?:-r|--result-file)$/,
    openssl: /^-out$/,
    gpg: /^(?:-o|--output)$/,
    sort: /^(?:-o|--output)$/,
    logrotate: /^(?:-s|--state|-l|--log)$/,
    unzip: /^-d$/,
  }),
);
const inputOptions = new Map<string, RegExp>(
  Object.entries({
    openssl: /^-(?:in|CAfile|key|cert)$/,
    curl: /^(?:-T|--upload-file|--cacert|-K|--config|--cert|--key)$/,
    ssh: /^(?:-i|-F)$/,
    scp: /^(?:-i|-F)$/,
  }),
);

function certain(kind: OperandUse['kind'], word: string, isNewFile = false): OperandUse {
  return { kind, word, isNewFile, isCertain: true };
}

function perhaps(word: string): OperandUse {
  return { kind: 'read', word, isNewFile: false, isCertain: false };
}

type OwnSyntax = (operands: readonly string[]) => OperandUse[];

/** Programs whose operands are not simply options and then files. */
const ownSyntax = new Map<string, OwnSyntax>(
  Object.entries({
    tar: ofTar,
    git: ofGit,
    find: ofFind,
    dd: ofDd,
    '[': ofTest,
    '[[': ofTest,
    test: ofTest,
  }),
);

/** @param operands the words after the program's name, with marks (`place.ts`) */
export function filesOf(program: string, operands: readonly string[]): OperandUse[] {
  const own = ownSyntax.get(program);
  if (own) return own(operands);
  const valued = valuesOf(program, operands);
  const words = operands.filter((word, at) => !valued.taken.has(at) && !word.startsWith('-'));
  if (packs.test(program) && operands.some((word) => /^-[a-zA-Z\d]*[clt]|^--(?:stdout|to-stdout|list|test)/.test(word)))
    return words.map((word) => certain('read', word));
  if (writeAll.test(program))
    return words.slice(modeFirst.test(program) ? 1 : 0).map((word) => certain('write', word, makesFile.test(program)));
  if (program === 'sed' && operands.some((word) => /^(?:-[nE]*i|--in-place)/.test(word)))
    return words.slice(1).map((word) => certain('write', word));
  if (readThenWrite.test(program) && words.length > 1)
    return words.map((word, at) => certain(at === words.length - 1 ? 'write' : 'read', word));
  if (program === 'zip' || program === '7z')
    return words.map((word, at) => certain(at === 0 ? 'write' : 'read', word, at === 0));
  if (program === 'cat') return words.map((word) => certain('read', word));
  if (/^(?:cd|pushd|source|\.)$/.test(program)) return words.slice(0, 1).map((word) => certain('read', word));
  if (saysOnly.test(program)) return valued.found;
  return [...valued.found, ...words.slice(patternFirst.test(program) ? 1 : 0).map(perhaps)];
}

function ofFind(operands: readonly string[]): OperandUse[] {
  const end = operands.findIndex((word) => /^[-(!]/.test(word));
  const isWrite = operands.some((word) => /^(?:-delete|rm|mv|gzip|chmod|chown|touch)$/.test(word));
  return operands.slice(0, end < 0 ? undefined : end).map((word) => certain(isWrite ? 'write' : 'read', word));
}

function ofDd(operands: readonly string[]): OperandUse[] {
  return operands.flatMap((word) => {
    const [, side, file] = /^(if|of)=(.+)$/s.exec(word) ?? [];
    return file === undefined ? [] : [certain(side === 'of' ? 'write' : 'read', file, side === 'of')];
  });
}

/** `[ -d /srv ]` */
function ofTest(operands: readonly string[]): OperandUse[] {
  return operands.filter((_, at) => /^-[defrsLxw]$/.test(operands[at - 1] ?? '')).map(perhaps);
}

/** Returns the values of options that name files, and the positions of these options and values. */
function valuesOf(program: string, operands: readonly string[]) {
  const taken = new Set<number>();
  const found: OperandUse[] = [];
  for (const [at, word] of operands.entries()) {
    const [, long, joined] = /^(--[\w-]+)=(.*)$/s.exec(word) ?? [];
    const value = joined ?? operands[at + 1];
    for (const [kind, options] of [
      ['write', outputOptions.get(program)],
      ['read', inputOptions.get(program)],
    ] as const) {
      if (value === undefined || !options?.test(long ?? word)) continue;
      found.push(certain(kind, value, kind === 'write'));
      taken.add(at);
      if (joined === undefined) taken.add(at + 1);
    }
    if (joined !== undefined && !taken.has(at)) found.push(perhaps(joined));
  }
  return { taken, found };
}

function ofTar(operands: readonly string[]): OperandUse[] {
  const letters = /^-?([A-Za-z]+)$/.exec(operands[0] ?? '')?.[1] ?? '';
  const isMaking = /[cru]/.test(letters) || operands.some((word) => /^--(?:create|append|update)$/.test(word));
  const isUnpacking = !isMaking && (letters.includes('x') || operands.some((word) => /^--(?:extract|get)$/.test(word)));
  const uses: OperandUse[] = [];
  for (let at = 0; at < operands.length; at++) {
    const word = operands[at] ?? '';
    const [, long, joined] = /^(--[\w-]+)=(.*)$/s.exec(word) ?? [];
    const isArchive =
      (at === 0 ? letters.endsWith('f') : /^-[A-Za-z]*f$/.test(word)) || word === '--file' || long === '--file';
    const isFolder = /^(?:-C|--directory)$/.test(long ?? word);
    if (isArchive || isFolder) {
      const value = joined ?? operands[++at] ?? '';
      const kind = (isArchive ? isMaking : isUnpacking) ? 'write' : 'read';
      uses.push(certain(kind, value, isArchive && isMaking));
    } else if (at > 0 && !word.startsWith('-') && !isUnpacking) uses.push(certain('read', word));
  }
  return uses;
}

function ofGit(operands: readonly string[]): OperandUse[] {
  const at = operands.indexOf('-C');
  const folder = at < 0 ? '.' : (operands[at + 1] ?? '.');
  const verb = operands.find((word, index) => /^[a-z]/.test(word) && (at < 0 || index !== at + 1)) ?? '';
  if (verb === 'clone') return operands.slice(-1).map((word) => certain('write', word));
  const isLooking = /^(?:log|status|diff|show|rev-parse|ls-remote|config|describe)$/.test(verb);
  return [certain(isLooking ? 'read' : 'write', folder)];
}
