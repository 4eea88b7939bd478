/**
 * Thrown if another process has taken the run over. This process must then write nothing more for the run (ADR 0014,
 * ADR 0039).
 */
export class Superseded extends Error {}
