/**
 * Thrown when another process has taken the run over: this process must not write anything of it (ADR 0014, ADR 0039).
 */
export class Superseded extends Error {}
