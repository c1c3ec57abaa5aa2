// Characters that nobody sees, or that hide or turn around what stands beside them, become their code
// points: each of them could make one text look like another. The server has the same list (text.rs).
export const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cn}\p{Default_Ignorable_Code_Point}\u2800]|(?! )\p{Zs}/gu;

export const codePoint = c => `[U+${c.codePointAt(0).toString(16).toUpperCase().padStart(4, '0')}]`;

export const visible = text => text.replace(HIDDEN, codePoint);
