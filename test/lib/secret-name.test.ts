// Which names mean a secret: the rule for `flwd init --from`, and for the environment of a job with the profile
// `disabled`.

import { expect, test } from 'vitest';
import { holdsPassword, isSecretName } from '../../src/lib/secret-name.ts';

const secret = `PGPASSWORD MYSQL_PWD DB_PASS DBPASS DBPASSWORD SSHPASS AWS_SECRET_ACCESS_KEY PRIVATE_KEY DATABASE_URL
  SLACK_WEBHOOK_URL DSN AUTH SMTP_PASSWORD GITHUB_TOKEN API_KEY APIKEY HOOK_SECRET PASSWD GPG_PASSPHRASE CREDENTIALS
  --password --db-pass dbPass accessToken clientSecret pw root_pw rootpw PASSWORD1 DB_PASSWORD_2 password_old pass
  GITHUB_TOKEN_CI SECRET_KEY_BASE SECRET_VALUE vault_secret_id PIN otp jwt cookie basic_auth AUTHORIZATION GITHUB_PAT
  SENTRY_DSN REDIS_URL AMQP_URL MONGODB_URI CELERY_BROKER_URL DB_CONNECTION_STRING DATABASE_READ_URL SLACK_WEBHOOK
  HOOK_URL SMTP_URL presigned_url ssh_key SSHKEY deploy-key key KEY encryption_key signingkey api_keys creds
  GOOGLE_APPLICATION_CREDENTIALS AZURE_STORAGE_KEY LICENSE_KEY tokens`.split(/\s+/);

const harmless = `passes author keyboard bypass compass token_count authority keyword monkey hotkey turkey encompass
  AUTH_TYPE auth_mode authors password_file TOKEN_FILE secret_name PASSWORD_LENGTH token_ttl tokenizer secretary
  passenger pass_count passport max_tokens num_tokens public_key PUBKEY sort_key primary_key cache_key AWS_ACCESS_KEY_ID
  key_id client_id token_url API_URL BASE_URL base_url url hooks SSH_AUTH_SOCK XAUTHORITY HTTP_PROXY spin opinion
  pattern pathology keys_dir database db_name redis_host pinned cookie_name REGION target region source_dir level`.split(
  /\s+/,
);

test.each(secret)('%s is the name of a secret', (name) => {
  expect(isSecretName(name)).toBe(true);
});

test.each(harmless)('%s is not the name of a secret', (name) => {
  expect(isSecretName(name)).toBe(false);
});

test.each([
  ['postgres://app:hunter2@db/shop', true],
  ['redis://:hunter2@cache:6379', true],
  ['https://example.org:8443/a@b', false],
  ['ssh://git@example.org:22/x', false],
  ['user:pass', false],
])('whether %s contains a password is %s', (text, expected) => {
  expect(holdsPassword(text)).toBe(expected);
});
