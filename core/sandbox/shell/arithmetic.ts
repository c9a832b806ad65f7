// The integer expressions inside `$((…))`. Pure, but for assignments, which go to the variables it is given.

export type Variables = { get(name: string): string | undefined; set(name: string, value: string): void };

const LEVELS = [
  ["||"],
  ["&&"],
  ["|"],
  ["^"],
  ["&"],
  ["==", "!="],
  ["<=", ">=", "<", ">"],
  ["<<", ">>"],
  ["+", "-"],
  ["*", "/", "%"],
];
const TOKEN = /\s*(0[xX][0-9a-fA-F]+|\d+|[A-Za-z_]\w*|<<=|>>=|[-+*/%&|^]=|&&|\|\||<<|>>|[<>=!]=|[-+*/%<>=!~&|^?:()])/y;

/** The value; throws an Error with dash's words for what is no expression. */
export function arithmetic(expression: string, variables: Variables): number {
  const tokens = tokenize(expression);
  if (tokens.length === 0) return 0;
  let at = 0;
  const peek = () => tokens[at] ?? "";
  const take = (expected: string) => peek() === expected && ((at += 1), true);

  function assignment(): number {
    const name = peek();
    const operator = tokens[at + 1] ?? "";
    if (/^[A-Za-z_]/.test(name) && /^(?:<<|>>|[-+*/%&|^])?=$/.test(operator)) {
      at += 2;
      const right = assignment();
      const value = operator === "=" ? right : binary(operator.slice(0, -1), valueOf(name), right);
      variables.set(name, String(value));
      return value;
    }
    return ternary();
  }

  function ternary(): number {
    const condition = level(0);
    if (!take("?")) return condition;
    const whenTrue = assignment();
    if (!take(":")) throw new Error(`arithmetic expression: expecting ':': "${expression}"`);
    const whenFalse = ternary();
    return condition === 0 ? whenFalse : whenTrue;
  }

  function level(index: number): number {
    const operators = LEVELS[index];
    if (operators === undefined) return unary();
    let left = level(index + 1);
    while (operators.includes(peek())) {
      const operator = tokens[at++] ?? "";
      left = binary(operator, left, level(index + 1));
    }
    return left;
  }

  function unary(): number {
    if (take("-")) return -unary();
    if (take("+")) return unary();
    if (take("!")) return unary() === 0 ? 1 : 0;
    if (take("~")) return ~unary();
    if (take("(")) {
      const value = assignment();
      if (!take(")")) throw new Error(`arithmetic expression: expecting ')': "${expression}"`);
      return value;
    }
    const token = peek();
    if (!/^\w/.test(token)) throw new Error(`arithmetic expression: expecting primary: "${expression}"`);
    at += 1;
    return valueOf(token);
  }

  function valueOf(token: string): number {
    if (/^\d/.test(token)) return parseNumber(token);
    const text = variables.get(token)?.trim() ?? "";
    if (text === "") return 0;
    if (!/^[-+]?\d/.test(text)) throw new Error(`Illegal number: ${text}`);
    return parseNumber(text);
  }

  const value = assignment();
  if (at < tokens.length) throw new Error(`arithmetic expression: expecting EOF: "${expression}"`);
  return value;
}

function tokenize(expression: string): string[] {
  const tokens: string[] = [];
  const text = expression.trimEnd();
  TOKEN.lastIndex = 0;
  let at = 0;
  while (at < text.length) {
    TOKEN.lastIndex = at;
    const found = TOKEN.exec(text);
    if (found === null) throw new Error(`arithmetic expression: expecting primary: "${expression}"`);
    tokens.push(found[1] ?? "");
    at = TOKEN.lastIndex;
  }
  return tokens;
}

function parseNumber(text: string): number {
  if (/^0[xX]/.test(text)) return Number.parseInt(text, 16);
  return Number.parseInt(text, /^0\d/.test(text) ? 8 : 10);
}

function binary(operator: string, left: number, right: number): number {
  switch (operator) {
    case "||":
      return left !== 0 || right !== 0 ? 1 : 0;
    case "&&":
      return left !== 0 && right !== 0 ? 1 : 0;
    case "==":
      return left === right ? 1 : 0;
    case "!=":
      return left === right ? 0 : 1;
    case "<":
      return left < right ? 1 : 0;
    case ">":
      return left > right ? 1 : 0;
    case "<=":
      return left <= right ? 1 : 0;
    case ">=":
      return left >= right ? 1 : 0;
    case "+":
      return left + right;
    case "-":
      return left - right;
    case "*":
      return left * right;
    case "/":
    case "%":
      if (right === 0) throw new Error("arithmetic expression: division by zero");
      return operator === "/" ? Math.trunc(left / right) : left % right;
    case "<<":
      return Number(BigInt.asIntN(64, BigInt(left) << BigInt(right)));
    case ">>":
      return Number(BigInt(left) >> BigInt(right));
    default:
      return Number(bitwise(operator, BigInt(left), BigInt(right)));
  }
}

function bitwise(operator: string, left: bigint, right: bigint): bigint {
  if (operator === "&") return left & right;
  return operator === "|" ? left | right : left ^ right;
}
