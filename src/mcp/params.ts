// Finds wrong parameters of a request, and says in a sentence what they must be. Without this, the SDK would answer
// with a list of issues as JSON.

type Params = Readonly<Record<string, unknown>>;

const mostNameChars = 64;

/**
 * Says what is wrong with the parameters of a request; undefined if they are right, or if the client expects no answer.
 */
export function wrongParams(message: unknown): string | undefined {
  if (!isObject(message) || message.id === undefined) return undefined;
  const { method, params } = message;
  if (method !== 'tools/call' && method !== 'resources/read') return undefined;
  if (!isObject(params)) return `The params of ${method} ${mustBe('an object', params)}.`;
  const name = method === 'tools/call' ? 'name' : 'uri';
  const text = params[name];
  if (typeof text !== 'string') return `The ${name} of ${method} ${mustBe('a string', text)}.`;
  const { arguments: given } = params;
  if (method !== 'tools/call' || given === undefined || isObject(given)) return undefined;
  return `The arguments of ${text.slice(0, mostNameChars)} ${mustBe('an object with a member for each', given)}.`;
}

function mustBe(wanted: string, value: unknown): string {
  return value === undefined ? `must be ${wanted}` : `must be ${wanted}, not ${kindOf(value)}`;
}

/** Returns the id of a request, which its answer must repeat; null if the message is not a request. */
export function idOf(value: unknown): string | number | null {
  if (typeof value !== 'object' || value === null || !('id' in value && 'method' in value)) return null;
  return typeof value.id === 'string' || typeof value.id === 'number' ? value.id : null;
}

/** Names the type of a value, such as `a string`. */
export function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

function isObject(value: unknown): value is Params {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
