// What `flwd import` recognizes as a password in a script, and what it replaces the password with.

import { expect, test } from 'vitest';
import { createSecretNames, takeSecrets, withoutSecrets } from '../../src/cli/import/secret-text.ts';

function taken(script: string): { readonly text: string; readonly variables: readonly string[] } {
  const names = createSecretNames([]);
  const obstacles: string[] = [];
  const text = takeSecrets(script, names, obstacles);
  expect(obstacles).toEqual([]);
  return { text, variables: names.all().map(({ variable }) => variable) };
}

test.each([
  ['PGPASSWORD=hunter22 pg_dump shop > /srv/x', 'PGPASSWORD="${PGPASSWORD}" pg_dump shop > /srv/x', 'PGPASSWORD'],
  ["PGPASSWORD='hun ter22' pg_dump shop", 'PGPASSWORD="${PGPASSWORD}" pg_dump shop', 'PGPASSWORD'],
  ['mysqldump -u root -phunter22 shop', 'mysqldump -u root -p"${SECRET_MYSQL_PASSWORD}" shop', 'SECRET_MYSQL_PASSWORD'],
  ['x --password hunter22 -v', 'x --password "${SECRET_PASSWORD}" -v', 'SECRET_PASSWORD'],
  ['x --api-key=hunter22', 'x --api-key="${SECRET_API_KEY}"', 'SECRET_API_KEY'],
  ['curl -fsSu ada:hunter22 https://x', 'curl -fsSu ada:"${SECRET_CURL_PASSWORD}" https://x', 'SECRET_CURL_PASSWORD'],
  [
    'curl -H "Authorization: Bearer hunter22" https://x',
    'curl -H "Authorization: Bearer ${SECRET_AUTHORIZATION}" https://x',
    'SECRET_AUTHORIZATION',
  ],
  ["curl -H 'X-Api-Key: hunter22' x", `curl -H 'X-Api-Key: '"\${SECRET_X_API_KEY}"'' x`, 'SECRET_X_API_KEY'],
  [
    `curl -d '{"password":"hunter22","n":1}' x`,
    `curl -d '{"password":"'"\${SECRET_PASSWORD}"'","n":1}' x`,
    'SECRET_PASSWORD',
  ],
  ['curl https://a:hunter22@x/y', 'curl https://a:"${SECRET_URL_PASSWORD}"@x/y', 'SECRET_URL_PASSWORD'],
  ['curl "https://x/y?token=hunter22&n=1"', 'curl "https://x/y?token=${SECRET_TOKEN}&n=1"', 'SECRET_TOKEN'],
  ['curl https://x/y?token=hunter22', 'curl https://x/y?token="${SECRET_TOKEN}"', 'SECRET_TOKEN'],
  [
    'curl https://hooks.slack.com/services/T0/B0/hunter22 -d x',
    'curl https://hooks.slack.com/services/"${SECRET_WEBHOOK_TOKEN}" -d x',
    'SECRET_WEBHOOK_TOKEN',
  ],
  [
    'docker run -e "DB_PASS=hunter 22" auth:latest',
    'docker run -e "DB_PASS=${SECRET_DB_PASS}" auth:latest',
    'SECRET_DB_PASS',
  ],
  ['sshpass -p hunter22 ssh ada@x ls', 'sshpass -p "${SECRET_PASSWORD}" ssh ada@x ls', 'SECRET_PASSWORD'],
  ['sshpass -phunter22 ssh ada@x ls', 'sshpass -p"${SECRET_PASSWORD}" ssh ada@x ls', 'SECRET_PASSWORD'],
  ['ipmitool -U a -P hunter22 power on', 'ipmitool -U a -P "${SECRET_PASSWORD}" power on', 'SECRET_PASSWORD'],
  ['openssl enc -k hunter22 -in x', 'openssl enc -k "${SECRET_OPENSSL_PASSWORD}" -in x', 'SECRET_OPENSSL_PASSWORD'],
  ['echo "hunter22" | sudo -S ls', 'echo "${SECRET_PASSWORD}" | sudo -S ls', 'SECRET_PASSWORD'],
  [
    'echo hunter22 | docker login -u x --password-stdin',
    'echo "${SECRET_PASSWORD}" | docker login -u x --password-stdin',
    'SECRET_PASSWORD',
  ],
  ['X="$(mysql -phunter22 -e x)"', 'X="$(mysql -p"${SECRET_MYSQL_PASSWORD}" -e x)"', 'SECRET_MYSQL_PASSWORD'],
])('%s', (script, text, variable) => {
  expect(taken(script)).toEqual({ text, variables: [variable] });
  expect(withoutSecrets(script)).not.toContain('hunter');
});

test.each([
  'restic --password-file /root/pw --password-command "cat /x" backup /srv',
  'PGPASSWORD=$(cat /root/pw) psql --token=$TOKEN --key /etc/x.key',
  'rsync -e "ssh -o PasswordAuthentication=no -i /root/.ssh/key" a b',
  'echo "$PASSWORD" | sudo -S ls; echo done | tee /srv/stdin; echo x; openssl enc -kfile /root/pw -in x',
  'docker run auth:latest; git log --author=somebody; x --no-password --max-tokens 400',
])('finds no password in: %s', (script) => {
  expect(taken(script)).toEqual({ text: script, variables: [] });
});

test.each([
  ['bash -c "PGPASSWORD=hunter22 psql"', 'another shell'],
  ['ssh db PGPASSWORD=hunter22 pg_dump', 'another shell'],
  ['echo `mysql -phunter22`', 'backticks'],
  ['cat <<END\npassword=hunter22\nEND\n', 'here-document'],
  ['x --password hunter22$1', 'it contains a variable'],
  ['x --password abc', 'shorter than 4 bytes'],
])('a password that no variable can replace keeps the script from being imported: %s', (script, why) => {
  const obstacles: string[] = [];
  takeSecrets(script, createSecretNames([]), obstacles);
  expect(obstacles).toEqual([expect.stringContaining(why)]);
  expect(withoutSecrets(script)).not.toContain('hunter');
});

test('equal passwords become one secret, a different one of the same name gets a number, and comments lose theirs', () => {
  const script = 'x --password hunter22\ny --password hunter22\nz --password other22 # password=hunter22\n';
  expect(taken(script)).toEqual({
    text: 'x --password "${SECRET_PASSWORD}"\ny --password "${SECRET_PASSWORD}"\nz --password "${SECRET_PASSWORD_2}" # password=…\n',
    variables: ['SECRET_PASSWORD', 'SECRET_PASSWORD_2'],
  });
});
