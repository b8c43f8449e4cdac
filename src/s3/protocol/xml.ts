// XML in and out. Reading goes through fast-xml-parser with its entity expansion off and documents
// with a DOCTYPE refused; the five predefined and numeric references are decoded here. Writing is text.

import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { encodeUtf8 } from '../../base/bytes.ts';
import { S3Error } from './errors.ts';
import { decodeStrictUtf8 } from './percent.ts';

export interface XmlNode {
  /** Without its namespace prefix. */
  readonly name: string;
  readonly children: readonly XmlNode[];
  /** All character data directly inside, references decoded. */
  readonly text: string;
}

/** Deeper than any S3 document (lifecycle rules reach six); bounds the parser's stack. */
const depthMax = 20;

const parser = new XMLParser({
  preserveOrder: true,
  ignoreAttributes: true,
  removeNSPrefix: true,
  parseTagValue: false,
  trimValues: false,
  processEntities: false,
  ignoreDeclaration: true,
  ignorePiTags: true,
  cdataPropName: '#cdata',
  maxNestedTags: depthMax,
});

const entities: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
};

function decodeReferences(text: string): string {
  if (!text.includes('&')) return text;
  return text.replace(/&([^;&]*)(;?)/g, (_, name: string, end: string) => {
    if (end === '') throw new S3Error('MalformedXML');
    const number = /^#(?:x([0-9a-fA-F]{1,6})|([0-9]{1,7}))$/.exec(name);
    const point =
      number === null
        ? undefined
        : number[1] !== undefined
          ? Number.parseInt(number[1], 16)
          : Number(number[2]);
    if (point !== undefined && point <= 0x10ffff && !(point >= 0xd800 && point <= 0xdfff))
      return String.fromCodePoint(point);
    const known = Object.hasOwn(entities, name) ? entities[name] : undefined;
    if (known === undefined) throw new S3Error('MalformedXML');
    return known;
  });
}

/** The parser's ordered form: a list of single-property objects, text under `#text`. */
function toNode(name: string, ordered: unknown, decodeText = decodeReferences): XmlNode {
  const children: XmlNode[] = [];
  let text = '';
  if (Array.isArray(ordered)) {
    for (const item of ordered as readonly Record<string, unknown>[]) {
      for (const [tag, content] of Object.entries(item)) {
        if (tag === '#text') text += decodeText(String(content));
        else if (tag === '#cdata') text += toNode(tag, content, (raw) => raw).text;
        else if (tag !== ':@') children.push(toNode(tag, content));
      }
    }
  }
  return { name, children, text };
}

/** What no XML document holds as it is. A reference to it is taken: keys may have such characters. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this is about.
const forbidden = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/;

/** Throws `MalformedXML` unless the body is one well-formed element named `root`. */
export function parseXml(body: Uint8Array, root: string): XmlNode {
  const text = decodeStrictUtf8(body);
  if (text === undefined || forbidden.test(text) || /<!(DOCTYPE|ENTITY)/.test(text))
    throw new S3Error('MalformedXML');
  const trimmed = text.replace(/^\uFEFF?\s*/, '');
  let document: XmlNode;
  try {
    if (XMLValidator.validate(trimmed) !== true) throw new S3Error('MalformedXML');
    document = toNode('', parser.parse(trimmed));
  } catch (error) {
    // The parser throws plain errors, all of them about the document.
    throw new S3Error('MalformedXML', undefined, { cause: error });
  }
  const [node, ...others] = document.children;
  if (node === undefined || others.length > 0 || node.name !== root)
    throw new S3Error('MalformedXML');
  return node;
}

export function childrenOf(node: XmlNode, name: string): readonly XmlNode[] {
  return node.children.filter((child) => child.name === name);
}

/** Undefined when there is none. Throws `MalformedXML` for more than one. */
export function onlyChild(node: XmlNode, name: string): XmlNode | undefined {
  const [child, ...others] = childrenOf(node, name);
  if (others.length > 0) throw new S3Error('MalformedXML');
  return child;
}

/** The text of the only child of that name; undefined when there is none. */
export function childText(node: XmlNode, name: string): string | undefined {
  return onlyChild(node, name)?.text;
}

/**
 * Throws `MalformedXML` where anything but these stands directly inside, or one of `once` stands there twice: what is
 * misspelt must not count as left out.
 */
export function only(
  node: XmlNode,
  once: readonly string[],
  repeated: readonly string[] = [],
): void {
  const seen = new Set<string>();
  for (const { name } of node.children) {
    if (repeated.includes(name)) continue;
    if (!once.includes(name) || seen.has(name)) throw new S3Error('MalformedXML');
    seen.add(name);
  }
}

/**
 * What XML 1.0 can't hold even as a reference is written as a numeric reference all the same, as AWS does: clients'
 * parsers take it, and those that do not ask with `encoding-type=url`.
 */
export function escapeXml(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this is about.
  if (!/[&<>"'\u0000-\u001f\u007f-\u009f\ufffe\uffff]/.test(text)) return text;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: as above.
  return text.replace(/[&<>"'\u0000-\u001f\u007f-\u009f\ufffe\uffff]/g, (character) => {
    switch (character) {
      case '&':
        return '&amp;';
      case '<':
        return '&lt;';
      case '>':
        return '&gt;';
      case '"':
        return '&quot;';
      case "'":
        return '&#39;';
      default:
        return `&#x${character.charCodeAt(0).toString(16).toUpperCase()};`;
    }
  });
}

/** `<name>text</name>`, escaped; nothing at all for undefined. */
export function textElement(name: string, text: string | number | boolean | undefined): string {
  return text === undefined ? '' : `<${name}>${escapeXml(String(text))}</${name}>`;
}

export function element(name: string, ...content: readonly string[]): string {
  return `<${name}>${content.join('')}</${name}>`;
}

export const xmlDeclaration = '<?xml version="1.0" encoding="UTF-8"?>\n';

/** A whole document in S3's namespace. */
export function xmlDocument(root: string, ...content: readonly string[]): Uint8Array {
  return encodeUtf8(
    `${xmlDeclaration}<${root} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${content.join('')}</${root}>`,
  );
}
