// Says what is wrong with an expression, or why it has no value. The message continues after `if:` or a similar key.

export class ExpressionError extends Error {}
