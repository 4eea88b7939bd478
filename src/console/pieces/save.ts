// Hands bytes of the API to the browser to be saved: read by a call, since a link could not bear the token.

export async function saveAnswer(answer: Promise<Pick<Response, 'body'>>, name: string): Promise<void> {
  const blob = await new Response((await answer).body).blob();
  // Of a type that no browser shows as a page of this origin.
  const url = URL.createObjectURL(new Blob([blob], { type: 'application/octet-stream' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
