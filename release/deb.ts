// `npm run deb`: writes a Debian package with flwd, its own Node, a systemd service, completions and documentation.
// release/debian has the texts of the package.

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { constants, gzipSync } from 'node:zlib';
import { buildDir, filesBelow, manifest, root, run, stage } from './stage.ts';

const architectures: ReadonlyMap<string, string> = new Map([
  ['x64', 'amd64'],
  ['arm64', 'arm64'],
]);
const architecture = architectures.get(process.arch);
if (!architecture) throw new Error(`flwd has no Debian package for ${process.arch}`);

/** In semantic versioning a pre-release sorts before its release. In Debian, a version with `~` does the same. */
const version = `${manifest.version.replace('-', '~')}-1`;
const library = 'usr/lib/flwd';
const documents = 'usr/share/doc/flwd';

const tree = mkdtempSync(join(tmpdir(), 'flwd-deb-'));
try {
  chmodSync(tree, 0o755);
  addProgram();
  addService();
  addDocuments();
  addControl();
  mkdirSync(buildDir, { recursive: true });
  const path = join(buildDir, `flwd_${version}_${architecture}.deb`);
  // The file is a third larger than with xz, but it is made in seconds. Every dpkg of a system with bubblewrap 0.8 can
  // read it.
  run('dpkg-deb', ['--root-owner-group', '-Zzstd', '-z12', '--build', tree, path]);
  console.log(path);
} finally {
  rmSync(tree, { recursive: true });
}

function addProgram(): void {
  stage(join(tree, library));
  const executable = join(tree, library, 'bin/flwd.js');
  writeFileSync(executable, readFileSync(executable, 'utf8').replace(/^#!.*/, `#!/${library}/node`));
  mkdirSync(join(tree, 'usr/bin'));
  symlinkSync(`../lib/flwd/bin/flwd.js`, join(tree, 'usr/bin/flwd'));

  const completions = {
    'flwd.bash': 'usr/share/bash-completion/completions/flwd',
    'flwd.zsh': 'usr/share/zsh/vendor-completions/_flwd',
    'flwd.fish': 'usr/share/fish/vendor_completions.d/flwd.fish',
  };
  for (const [script, path] of Object.entries(completions))
    write(path, readFileSync(join(root, 'packaging/completion', script)));
}

function addService(): void {
  const unit = readFileSync(join(root, 'packaging/flwd.service'), 'utf8')
    .replace('/usr/local/bin/flwd', '/usr/bin/flwd')
    .replace(/^Documentation=.*$/m, `Documentation=man:flwd(1) file:/${documents}/docs/install.md`);
  write('usr/lib/systemd/system/flwd.service', unit);
  write('etc/flwd/flwd.yaml', readFileSync(join(root, 'packaging/flwd.yaml')));
}

function addDocuments(): void {
  const own = (name: string): string => join(tree, library, name);
  for (const name of ['LICENSE.node', 'dist/LICENSES.md'])
    write(`${documents}/${name.split('/').at(-1)}.gz`, compressed(readFileSync(own(name))));
  write(`${documents}/changelog.gz`, compressed(readFileSync(own('CHANGELOG.md'))));
  const entry = `flwd (${version}) stable; urgency=medium\n\n  * See changelog.gz.\n\n -- ${maintainer()}  ${releasedAt()}\n`;
  write(`${documents}/changelog.Debian.gz`, compressed(Buffer.from(entry)));
  write(`${documents}/copyright`, readFileSync(join(root, 'release/debian/copyright')));
  write('usr/share/man/man1/flwd.1.gz', compressed(Buffer.from(manPage())));
  renameSync(own('docs'), join(tree, documents, 'docs'));
  const elsewhere = ['LICENSE', 'LICENSE.node', 'dist/LICENSES.md', 'README.md', 'CHANGELOG.md', 'CONTRIBUTING.md'];
  for (const name of [...elsewhere, 'SECURITY.md']) rmSync(own(name));
}

function addControl(): void {
  const sizeKiB = run('du', ['--summarize', '--apparent-size', '--block-size=1K', tree]).split('\t')[0] ?? '';
  const values = { VERSION: version, ARCHITECTURE: architecture ?? '', SIZE: sizeKiB };
  const control = Object.entries(values).reduce((text, [name, value]) => text.replace(`@${name}@`, value), template());
  const digest = (path: string): string =>
    createHash('md5')
      .update(readFileSync(join(tree, path)))
      .digest('hex');
  const sums = filesBelow(tree)
    .filter((path) => !path.startsWith('etc/'))
    .map((path) => `${digest(path)}  ${path}\n`);

  write('DEBIAN/control', control);
  write('DEBIAN/md5sums', sums.join(''));
  write('DEBIAN/conffiles', '/etc/flwd/flwd.yaml\n');
  for (const script of ['postinst', 'prerm', 'postrm']) {
    cpSync(join(root, 'release/debian', script), join(tree, 'DEBIAN', script));
    chmodSync(join(tree, 'DEBIAN', script), 0o755);
  }
}

function template(): string {
  return readFileSync(join(root, 'release/debian/control'), 'utf8');
}

function maintainer(): string {
  return /^Maintainer: (.*)$/m.exec(template())?.[1] ?? '';
}

/** The time of the commit, or the time of the build if there is no repository. */
function releasedAt(): string {
  return run('date', [
    '--rfc-email',
    `--date=@${process.env.SOURCE_DATE_EPOCH ?? Math.floor(Date.now() / 1_000)}`,
  ]).trim();
}

/** What `flwd help` prints, as a manual page. */
function manPage(): string {
  const words = [join(root, 'bin/flwd.js'), 'help'];
  const help = execFileSync(process.execPath, words, { encoding: 'utf8', env: { HOME: tree, COLUMNS: '80' } });
  const text = help.replaceAll('\\', '\\e').replaceAll(/^[.']/gm, '\\&$&').replaceAll('-', '\\-');
  return [
    `.TH FLWD 1 "" "flwd ${manifest.version}"`,
    '.SH NAME',
    'flwd \\- turns scripts into jobs behind one REST API',
    '.SH SYNOPSIS',
    '.B flwd',
    '.I COMMAND\n[\\fIOPTIONS\\fR]',
    '.SH DESCRIPTION',
    '.nf',
    text.trimEnd(),
    '.fi',
    '.SH FILES',
    `.TP\n.I /etc/flwd/flwd.yaml\nThe configuration of the service.`,
    `.TP\n.I /${documents}/docs\nThe documentation.`,
    '.SH SEE ALSO',
    '.BR systemctl (1),\n.BR journalctl (1)',
    '',
  ].join('\n');
}

function write(path: string, content: string | Buffer): void {
  mkdirSync(dirname(join(tree, path)), { recursive: true });
  writeFileSync(join(tree, path), content, { mode: 0o644 });
}

function compressed(content: Buffer): Buffer {
  return gzipSync(content, { level: constants.Z_BEST_COMPRESSION });
}
