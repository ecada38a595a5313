/** An answer that is no JSON. */
export class PlainText {
  readonly text: string;
  readonly type: string;

  constructor(text: string, type: string) {
    this.text = text;
    this.type = type;
  }
}

/** prometheus.io/docs/instrumenting/exposition_formats, "Basic info". */
export const metricsType = 'text/plain; version=0.0.4; charset=utf-8';
