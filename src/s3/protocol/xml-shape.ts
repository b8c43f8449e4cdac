// What may stand where in a document that a client puts. Whatever is not in the shape is refused: a misspelt `<Filter>` would
// widen a lifecycle rule to every object. Documents that are kept were checked when they were put, and are read as they are.

import { only, parseXml, type XmlNode } from './xml.ts';

/** By name what stands inside; an element whose name ends with `*` here may repeat. Nothing: text alone. */
export interface XmlShape {
  readonly [name: string]: XmlShape;
}

export const text: XmlShape = {};

/** Throws `MalformedXML`. */
export function checkShape(node: XmlNode, shape: XmlShape): void {
  const names = Object.keys(shape);
  const repeated = names.filter((name) => name.endsWith('*')).map((name) => name.slice(0, -1));
  only(
    node,
    names.filter((name) => !name.endsWith('*')),
    repeated,
  );
  for (const child of node.children)
    checkShape(child, shape[child.name] ?? shape[`${child.name}*`] ?? text);
}

/** Throws `MalformedXML`. */
export function checkDocumentShape(body: Uint8Array, root: string, shape: XmlShape): void {
  checkShape(parseXml(body, root), shape);
}
