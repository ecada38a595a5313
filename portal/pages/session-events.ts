/** Any request may be the one that hears of the end of the session; one place shows it. */
let listener: () => void = () => {};

export function onSessionEnded(heard: () => void): () => void {
  listener = heard;
  return () => {
    listener = () => {};
  };
}

export function sessionEnded(): void {
  listener();
}
