// Guesses from its name whether a variable, an option or an argument is a secret. If an ordinary name is taken for a
// secret, its user needs a file or a prompt for no reason. If a secret is missed, a password is shown. So a doubtful
// name, such as `key` alone, counts as a secret.

/** Matches the last word of `DB_PASS`, and the end of a name without separators, such as `sshpass`. */
const secretWord =
  /^(?:auth|oauth|authorization|bearer|jwt|pin|otp|totp|psk|pat|sas|cookies?|creds?|key|keys|webhooks?)$|(?:pass|pwd|pw|psw|password|passwd|passcode|passphrase|passkey|secret|token|credential|dsn|connstr)s?$/;
const ordinaryWord = /^(?:by|com|encom|multi|one|over|single|sur|tres|two|under)pass$/;
/** Matches `APIKEY`, but not every word that ends like it, such as `monkey`. */
const secretKey =
  /(?:^|_)(?:access|account|admin|aes|api|app|auth|client|deploy|encryption|gpg|hmac|license|master|pgp|priv|private|root|rsa|secret|service|session|shared|signing|ssh|ssl|storage|tls)keys?$/;
/** These words mean a secret anywhere in a name: `GITHUB_TOKEN_CI`, `SECRET_KEY_BASE`. */
const strongWord = /(?:password|passwd|passcode|passphrase|secret|token|credential)s?$/;
/** Names that look like secrets but are not, such as `sort_key` and `max_tokens`. */
const harmlessBefore =
  /(?:^|_)(?:cache|column|config|dict|field|foreign|group|hash|index|join|json|label|lookup|map|metadata|object|order|partition|primary|pub|public|range|registry|routing|row|search|sort|tag|unique)_keys?$|^(?:avg|count|max|min|n|num|total)_(?:keys|tokens?)$/;
/** Names of facts about a secret, which are not the secret itself: `password_file`, `token_count`. */
const aboutSecret =
  /^(?:age|alg|algorithm|arn|audience|backend|bits|bytes|charset|column|count|counter|days|dir|directory|disabled|enabled|endpoint|env|expires|expiration|expiry|field|file|files|folder|format|header|hint|host|hours|interval|issuer|kind|label|length|lifetime|limit|max|method|min|minutes|mode|name|names|param|path|policy|port|prefix|prompt|provider|region|required|rotation|scheme|scope|scopes|seconds|server|service|size|store|suffix|template|timeout|ttl|type|uri|url|usage|user|username|version)$/;
/** Matches the name of a URL that contains a user and password, or that gives access to everyone who knows it. */
const openAddress =
  /(?:^|_)(?:amqps?|broker|celery|clickhouse|conn|connection|couchdb|database|databases|db|elastic|elasticsearch|hook|influx|influxdb|jdbc|kafka|ldap|mail|mariadb|memcached|mongo|mongodb|mqtt|mssql|mysql|nats|oracle|pg|postgres|postgresql|presigned|rabbitmq|redis|sas|sentry|signed|slack|smtp|sql|webhook)_?(?:[a-z]+_)?(?:string|str|url|uri)$/;

/** @param name in any spelling: `DB_PASS`, `--db-pass`, `dbPass` */
export function isSecretName(name: string): boolean {
  const words = name
    .replaceAll(/([a-z\d])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .split(/[^a-z\d]+|(?<=[a-z])\d+(?=_|$)/)
    .filter((word) => /[a-z]/.test(word));
  const last = words.at(-1) ?? '';
  const whole = words.join('_');
  if (openAddress.test(whole)) return true;
  if (harmlessBefore.test(whole)) return false;
  if (last === 'id') return words.at(-2) === 'secret';
  if (secretKey.test(whole) || (secretWord.test(last) && !ordinaryWord.test(last))) return true;
  return !aboutSecret.test(last) && words.some((word) => strongWord.test(word));
}

/** Whether the text is a URL with a password in it. Then it is a secret, whatever its name is. */
export function holdsPassword(text: string): boolean {
  return /:\/\/[^\s/:@]*:[^\s/@]+@/.test(text);
}

/** For example `Usage: DB_PASS=hunter2 x.sh` becomes `Usage: DB_PASS=… x.sh`. */
export function withoutPasswords(text: string): string {
  return text
    .replaceAll(/(:\/\/[^\s/:@]*:)[^\s/@]+@/g, '$1…@')
    .replaceAll(/([A-Za-z][\w-]*)(=)("[^"]*"|'[^']*'|[^\s"']+)/g, (whole, name: string) =>
      isSecretName(name) ? `${name}=…` : whole,
    );
}
