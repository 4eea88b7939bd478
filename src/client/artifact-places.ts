// Finds names for the artifacts of a run: short, but different for each artifact.

type Artifact = { readonly id: string; readonly name: string; readonly path: string };

/**
 * Maps the id of each artifact to its path in the workspace. The path leaves out a leading `artifacts/`, unless two
 * artifacts would then have the same path.
 */
export function artifactPlaces(artifacts: readonly Artifact[]): ReadonlyMap<string, string> {
  return tellApart(artifacts, shortPlace, ({ path }) => path.replace(/^\/workspace\//, ''));
}

/** Maps the id of each artifact to its name, or to its path if several artifacts have this name. */
export function artifactNames(artifacts: readonly Artifact[]): ReadonlyMap<string, string> {
  const places = artifactPlaces(artifacts);
  return tellApart(
    artifacts,
    ({ name }) => name,
    ({ id, name }) => places.get(id) ?? name,
  );
}

function shortPlace({ path, name }: Artifact): string {
  return /^\/workspace\/(?:artifacts\/)?(.+)$/.exec(path)?.[1] ?? name;
}

type Words = (artifact: Artifact) => string;

function tellApart(artifacts: readonly Artifact[], short: Words, long: Words): ReadonlyMap<string, string> {
  const counts = new Map<string, number>();
  for (const one of artifacts) counts.set(short(one), (counts.get(short(one)) ?? 0) + 1);
  return new Map(artifacts.map((one) => [one.id, counts.get(short(one)) === 1 ? short(one) : long(one)]));
}
