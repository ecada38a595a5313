import assert from 'node:assert/strict';
import { join, relative } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Node, SourceFile } from 'typescript/unstable/ast';
import { isFunctionLikeDeclaration } from 'typescript/unstable/ast/is';
import { API } from 'typescript/unstable/sync';
import { projectRoot } from '../support/project.ts';

const mostLines = 60;

/** Its own name, or that of what it is given to. */
function nameOf(node: Node): string {
  for (let at: Node | undefined = node; at !== undefined; at = at.parent) {
    const { name } = at as { readonly name?: { readonly text?: string } };
    if (name?.text !== undefined) return name.text;
  }
  return 'none';
}

function longFunctionsIn(file: SourceFile, path: string): readonly string[] {
  const lineAt = (position: number) => file.text.slice(0, position).split('\n').length;
  const found: string[] = [];
  const visit = (node: Node): void => {
    if (isFunctionLikeDeclaration(node) && 'body' in node && node.body !== undefined) {
      const lines = lineAt(node.end) - lineAt(node.getStart(file)) + 1;
      if (lines > mostLines) found.push(`${path} ${nameOf(node)}`);
    }
    node.forEachChild(visit);
  };
  visit(file);
  return found;
}

describe('functions of the product', () => {
  let compiler: API;
  before(() => {
    compiler = new API({ cwd: projectRoot });
  });
  after(() => compiler.close());

  it(`have at most ${mostLines} lines`, () => {
    const projects = ['tsconfig.json', 'portal/pages/tsconfig.json'];
    const { length } = projects;
    const snapshot = compiler.updateSnapshot({ openProjects: projects.map((one) => join(projectRoot, one)) });
    assert.equal(snapshot.getProjects().length, length);
    const seen = new Map<string, readonly string[]>();
    for (const { program } of snapshot.getProjects())
      for (const name of program.getSourceFileNames()) {
        const path = relative(projectRoot, name);
        if (!/^(daemon|cli|portal|notify|man)\//.test(path) || seen.has(path)) continue;
        const file = program.getSourceFile(name);
        assert.ok(file, path);
        seen.set(path, longFunctionsIn(file, path));
      }
    assert.ok(seen.size > 300, `only ${seen.size} files`);
    assert.deepEqual([...seen.values()].flat(), []);
  });
});
