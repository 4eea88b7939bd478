// Says what is wrong with an expression, or why it has no value. The message is shown after `if:` or a similar key.

export class ExpressionError extends Error {}
