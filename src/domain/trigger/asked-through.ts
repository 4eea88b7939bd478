/**
 * Says how a person or a program asked for a run, by the type of the trigger: "mara through the API". Only contains the
 * types that need no other words.
 */
export const askedThrough: ReadonlyMap<string, string> = new Map([
  ['api', 'through the API'],
  ['cli', 'on the command line'],
  ['console', 'in the console'],
  ['mcp', 'through MCP'],
]);
