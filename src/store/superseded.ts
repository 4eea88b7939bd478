// What a write comes to when another server has taken the run over meanwhile (ADR 0014, ADR 0039).

/** Another process holds it by now: this one must not touch it. */
export class Superseded extends Error {}
