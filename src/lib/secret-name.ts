// Whether the name of a variable, an option or an argument speaks of a secret. A name that is wrongly taken for one costs its
// user a file or a prompt; one that is wrongly not shows a password. So what is in doubt, such as `key` alone, is a secret.

/** The last word of `DB_PASS`, or the end of it where nothing parts the words: `sshpass`. */
const secretWord =
  /^(?:auth|oauth|authorization|bearer|jwt|pin|otp|totp|psk|pat|sas|cookies?|creds?|key|keys|webhooks?)$|(?:pass|pwd|pw|psw|password|passwd|passcode|passphrase|passkey|secret|token|credential|dsn|connstr)s?$/;
const ordinaryWord = /^(?:by|com|encom|multi|one|over|single|sur|tres|two|under)pass$/;
/** `APIKEY`; of any other word that ends so, such as `monkey`, nothing is said. */
const secretKey =
  /(?:^|_)(?:access|account|admin|aes|api|app|auth|client|deploy|encryption|gpg|hmac|license|master|pgp|priv|private|root|rsa|secret|service|session|shared|signing|ssh|ssl|storage|tls)keys?$/;
/** They make a name one of a secret wherever they stand: `GITHUB_TOKEN_CI`, `SECRET_KEY_BASE`. */
const strongWord = /(?:password|passwd|passcode|passphrase|secret|token|credential)s?$/;
/** Names that look like a secret's and are not, such as `sort_key` and `max_tokens`. */
const harmlessBefore =
  /(?:^|_)(?:cache|column|config|dict|field|foreign|group|hash|index|join|json|label|lookup|map|metadata|object|order|partition|primary|pub|public|range|registry|routing|row|search|sort|tag|unique)_keys?$|^(?:avg|count|max|min|n|num|total)_(?:keys|tokens?)$/;
/** What is said about a secret, and is not the secret: `password_file`, `token_count`. */
const aboutSecret =
  /^(?:age|alg|algorithm|arn|audience|backend|bits|bytes|charset|column|count|counter|days|dir|directory|disabled|enabled|endpoint|env|expires|expiration|expiry|field|file|files|folder|format|header|hint|host|hours|interval|issuer|kind|label|length|lifetime|limit|max|method|min|minutes|mode|name|names|param|path|policy|port|prefix|prompt|provider|region|required|rotation|scheme|scope|scopes|seconds|server|service|size|store|suffix|template|timeout|ttl|type|uri|url|usage|user|username|version)$/;
/** An address that names its user and password, or lets in whoever knows it. */
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

/** A text that is a secret whatever its name: an address with a password in it. */
export function holdsPassword(text: string): boolean {
  return /:\/\/[^\s/:@]*:[^\s/@]+@/.test(text);
}

/** `Usage: DB_PASS=hunter2 x.sh` → `Usage: DB_PASS=… x.sh` */
export function withoutPasswords(text: string): string {
  return text
    .replaceAll(/(:\/\/[^\s/:@]*:)[^\s/@]+@/g, '$1…@')
    .replaceAll(/([A-Za-z][\w-]*)(=)("[^"]*"|'[^']*'|[^\s"']+)/g, (whole, name: string) =>
      isSecretName(name) ? `${name}=…` : whole,
    );
}
