// What is wrong with an expression, or why it has no value, in words for people: a clause that goes on after
// `if:` or the like.

export class ExpressionError extends Error {}
