"""What people say and what it means here: the word tables of the grammar. Data only.

Phrases are written as `language.words` leaves them: lower case, no apostrophes ("crow's feet" is "crow feet"),
no hyphens. The last word of a category or a place also matches in its plural.
"""

from __future__ import annotations

LINE = "line"
"""Stands for wrinkles that are not told apart: which category they are depends on the place."""
SAME = "same"
"""Stands for what the phrase before was about: "the ones on my chin"."""

CATEGORIES: dict[str, tuple[str, ...]] = {
    "pimple": ("pimple", "zit", "whitehead", "white head", "pustule", "bump", "lump", "boil", "spotty bit",
               "red spot", "red bump", "red dot", "angry spot", "volcano", "pimpel", "pimpl", "pus", "pickel", "grano",
               "espinilla", "bouton", "brufolo"),
    "acne": ("acne", "breakout", "break out", "broke out", "broken out", "breaking out", "outbreak", "pizza face",
             "spotty", "pimply", "cyst", "akne", "acnee"),
    "freckle": ("freckle", "freckly", "freckled", "freckel", "sommersprosse", "peca", "tache de rousseur",
                "taches de rousseur"),
    "spot": ("spot", "age spot", "sun spot", "sunspot", "agespot", "liver spot", "brown spot", "dark spot",
             "brown patch", "dark patch", "pigment spot", "pigmentation", "hyperpigmentation", "pigment", "melasma",
             "brown mark", "dark mark", "brown dot", "dark dot", "sun damage", "sun mark", "speckle", "stain", "mark",
             "dot", "speck", "pigmentfleck", "altersfleck", "mancha", "tache"),
    "dark_circle": ("dark circle", "dark ring", "dark eye circle", "circle", "eye circle", "under eye circle",
                    "black ring", "black circle", "eye ring", "ring", "under eye shadow", "shadow", "dark shadow",
                    "eye shadows", "shadows under", "dark area", "darkness", "raccoon eye", "racoon eye", "panda eye", "raccoon", "racoon", "panda",
                    "purple ring", "blue ring", "purple circle", "dark under eye", "dark undereye", "black eye",
                    "augenring", "augenringe", "ojera", "cerne", "occhiaia"),
    "eye_bag": ("crying", "cried", "eye bag", "eyebag", "bag", "baggy eye", "puffy eye", "puffiness", "puffy", "swollen eye", "eye puff",
                "under eye bag", "undereye bag", "suitcase", "luggage", "swelling", "tranensack", "tranensacke",
                "bolsa", "poche"),
    "forehead_wrinkle": ("forehead wrinkle", "forehead line", "forehead crease", "furrow", "worry line", "brow line",
                         "forehead furrow", "lines in my forehead", "brow furrow", "thinking line"),
    "crows_feet": ("crow feet", "crows feet", "crow foot", "crows foot", "crowfeet", "crowsfeet", "crow line",
                   "crows line", "crow feat", "crows feat", "crow", "eye wrinkle", "eye line", "eye crinkle",
                   "squint line", "krahenfuss", "krahenfusse", "pata de gallo", "patas de gallo"),
    "fine_line": ("fine line", "frown line", "eleven line", "11 line", "elevens", "smoker line", "lip line", "tiny line",
                  "little line", "fine wrinkle", "glabella line", "dehydration line", "barcode line"),
    LINE: ("wrinkle", "wrinkly", "wrinkled", "line", "crease", "crinkle", "wrinkel", "wringle", "aging sign", "falte",
           "arruga", "ride", "ruga"),
    "stray_hair": ("stray hair", "stray", "flyaway", "fly away", "loose hair", "loose strand", "strand", "hair strand",
                   "baby hair", "wisp", "wispy hair", "frizz", "frizzy hair", "messy hair", "flyaway hair",
                   "hair in my face", "hair on my face", "hair over my face", "hair across my face", "peach fuzz",
                   "stray strand", "hair falling", "hair out of my face", "hair", "haar", "little hair"),
    "mole": ("mole", "beauty mark", "beauty spot", "birthmark", "birth mark", "wart", "skin tag", "muttermal",
             "leberfleck", "lunar", "grain de beaute"),
    "redness": ("redness", "red", "reddish", "flush", "flushed", "flushing", "blushing", "rosacea", "sunburn",
                "sunburnt", "sunburned", "sun burn", "rash", "irritation", "irritated", "red patch", "red blotch",
                "broken vein", "capillary", "broken capillary", "vein", "ruddy", "ruddiness", "rosy", "inflammation",
                "inflamed", "windburn", "tomato", "lobster", "beetroot", "rotung", "rotungen", "rote", "rojez", "rojeces",
                "rougeur"),
    "shine": ("shine", "shiny", "shinyness", "shininess", "shining", "oil", "oily", "oiliness", "grease", "greasy",
              "greasiness", "sweat", "sweaty", "sweating", "glare", "glossy", "gloss", "glisten", "glistening", "glossiness",
              "gleam", "gleaming", "glow", "glowing", "hot spot", "hotspot", "disco ball", "oil slick", "reflection",
              "reflective", "bounces off", "glow up", "glanz", "glanzt", "glanzend", "brillo", "brillance", "brillant"),
    "scar": ("scar", "acne scar", "pimple scar", "acne mark", "pimple mark", "pockmark", "pock mark", "pitted skin",
             "scarring", "chickenpox mark", "chicken pox mark", "scab", "stitch mark", "narbe", "cicatriz", "cicatrices",
             "cicatrice"),
    "uneven_tone": ("uneven tone", "uneven skin tone", "uneven skin", "uneven", "unevenness", "blotchy", "blotch",
                    "blotchiness", "patchy", "patchiness", "discoloration", "discolouration", "discolored", "discoloured",
                    "skin tone", "complexion", "mottled", "tone", "even out", "even my skin", "even it out", "sallow",
                    "different colors", "different colours", "even skin", "tan line", "skin color", "skin colour"),
    "pores": ("pore", "blackhead", "black head", "open pore", "large pore", "big pore", "enlarged pore", "clogged pore",
              "strawberry nose", "orange peel", "poro", "mitesser"),
    "nasolabial_fold": ("nasolabial fold", "nasolabial", "nasolabial line", "laugh line", "smile line", "laughter line",
                        "smiling line", "parenthesis", "parentheses", "nose to mouth line", "marionette line",
                        "laughing line", "lines from my nose to my mouth", "lines from nose to mouth",
                        "fold", "smile fold", "smile crease", "lachfalte", "nasolabialfalte"),
    "blemishes": ("the rest", "rest of it", "everything else", "all else", "blemish", "imperfection", "flaw", "everything", "everythin", "all of it", "it all", "all of them",
                  "all of that", "the lot", "the works", "anything", "stuff", "mess", "skin problem", "problem area",
                  "skin issue", "all that", "all this", "alles", "todo", "tout", "perfect skin", "clear skin",
                  "flawless", "flawless skin", "look fresh", "look presentable", "camera ready", "make me look good", "make me look better", "make me look great",
                  "make me look nice", "make me look pretty", "make me pretty", "airbrush", "airbrushed", "glass skin", "baby skin", "smooth skin",
                  "full retouch", "whole package", "all the things", "every little thing", "thing", "unreinheiten"),
    SAME: ("one", "ones"),
}  # fmt: skip

SEVERAL: dict[str, tuple[str, ...]] = {
    "have not slept": ("dark_circle", "eye_bag"),
    **dict.fromkeys(
        ("havent slept", "like i slept", "as if i slept", "hadnt slept", "didnt sleep", "did not sleep", "no sleep", "not sleep", "barely slept",
         "hardly slept", "without sleep", "tired", "exhausted", "sleepy", "sleepless", "hungover", "hangover",
         "all nighter", "worn out", "look dead", "look half dead", "zombie", "look rested", "well rested", "rested",
         "look awake", "more awake", "wide awake", "fresher eyes", "jet lag", "jetlag", "jet lagged", "jetlagged",
         "night shift", "up all night", "slept badly", "slept like", "bad night", "rough night", "long night",
         "fatigue", "fatigued", "knackered", "shattered", "mude", "cansado", "cansada", "fatigue", "under my eyes dark",
         "newborn", "insomnia"),
        ("dark_circle", "eye_bag"),
    ),
    **dict.fromkeys(
        ("look younger", "years younger", "younger", "years off", "look old", "looking old", "look so old", "anti aging",
         "anti age", "botox", "less old", "my age"),
        ("forehead_wrinkle", "crows_feet", "fine_line"),
    ),
}  # fmt: skip
"""Phrases that mean several categories at once."""

ADJECTIVES = frozenset(
    """red reddish flushed sunburnt sunburned irritated ruddy rosy inflamed shiny shining oily greasy sweaty sweating
    glossy glowing glistening gleaming glow wrinkly wrinkled blotchy patchy uneven freckly freckled spotty pimply mottled
    tired exhausted sleepy puffy""".split()
)
VAGUE = frozenset(
    ("thing", "stuff", "mess", "it all", "all that", "all this", "all of that", "anything", "alles", "todo", "tout")
)  # fmt: skip
"""These name something only with a verb or a place: "the stuff on my chin"."""
COUNTABLE = frozenset(
    "pimple zit spot mole scar freckle bump lump mark dot line wrinkle crease speck birthmark".split()
)
"""Before these "a little" tells a size, not an amount."""

PLACES: dict[str, tuple[str, ...]] = {
    "forehead": ("forehead", "fore head", "temple line", "hairline", "stirn", "frente", "le front"),
    "glabella": ("glabella", "third eye"),
    "nose": ("nose", "nostril", "bridge of my nose", "tip of my nose", "side of my nose", "sides of my nose",
             "schnozz", "snout", "nase", "nariz", "nez"),
    "mouth": ("mouth", "lip", "upper lip", "mustache area",
              "corner of my mouth", "corners of my mouth", "mund", "boca", "bouche"),
    "chin": ("chin", "kinn", "barbilla", "menton"),
    "jaw": ("jaw", "jawline", "jaw line", "jowl", "mandibula", "kiefer"),
    "cheek": ("cheek", "cheekbone", "cheek bone", "wange", "mejilla", "joue"),
    "under_eye": ("under eye", "undereye", "under eye area", "lower lid", "tear trough", "lower eyelid"),
    "crows_feet": ("temple", "corner of my eye", "corners of my eyes", "outer corner", "corner of the eye",
                   "corners of the eyes", "eye corner", "outer eye"),
    "tzone": ("t zone", "tzone", "tee zone", "t section"),
    "brow": ("brow", "eyebrow", "eye brow"),
    "eye": ("eye", "auge", "augen", "ojo", "oeil", "yeux"),
    "side": ("side", "half", "side of my face", "half of my face", "side of the face", "half of the face", "lado",
             "seite"),
    "face": ("face", "skin", "everywhere", "whole face", "all over", "entire face", "gesicht", "cara", "visage"),
}  # fmt: skip
TZONE = ("forehead", "nose", "chin")
UNDER = frozenset("under underneath beneath below unter bajo sous".split())
AROUND = frozenset("around surrounding round near alrededor autour".split())
BESIDE = frozenset("beside outside corner corners".split())
MOVED: dict[tuple[str, str], str] = {
    ("under", "eye"): "under_eye", ("around", "eye"): "around_eye", ("beside", "eye"): "crows_feet",
    ("between", "eye"): "glabella", ("above", "eye"): "forehead", ("between", "brow"): "glabella",
    ("above", "brow"): "forehead", ("under", "nose"): "mouth", ("above", "nose"): "glabella",
    ("under", "mouth"): "chin", ("under", "chin"): "jaw",
}  # fmt: skip
"""Where a preposition takes a place: "under my left eye"."""
FILLERS = (
    "anymore", "any more", "once more", "one more thing", "more or less", "at all", "all right", "alright", "right now",
    "right away", "a bit late", "a little late", "a little nervous", "a bit nervous", "in a bit", "ring light",
    "would you mind", "do you mind", "if you dont mind", "no problem", "no worries", "red carpet", "red wine", "line up",
    "one day", "one thing", "one last thing", "the right thing", "go ahead", "right there", "is it possible to",
    "i have to go", "have to go in", "too much trouble", "too much to ask", "half an hour", "half hour",
    "a quarter of an hour", "two days", "two hours", "hard day", "hard time", "good day", "good morning",
    "good evening", "look my best",
)  # fmt: skip
"""Phrases in which a word of the other tables means nothing."""

SIDES: dict[str, str] = {
    "left": "left", "right": "right", "both": "both", "either": "both", "two": "both",
    "linke": "left", "linken": "left", "links": "left", "rechte": "right", "rechten": "right", "rechts": "right",
    "izquierda": "left", "izquierdo": "left", "derecha": "right", "derecho": "right",
    "gauche": "left", "droite": "right",
}  # fmt: skip
NOT_A_SIDE_BEFORE = frozenset(
    "now away there here under on between next above below in at before after where over off behind".split()
)
"""After "right" these show that it is no side: "right under my nose"."""

AMOUNTS: dict[str, float] = {
    **dict.fromkeys(
        ("a little", "a little bit", "a bit", "a tiny bit", "a wee bit", "just a bit", "slightly", "a touch", "a tad",
         "a smidge", "a smidgen", "subtle", "subtly", "lightly", "gently", "barely", "a hair", "a hint", "a fraction",
         "minimally", "faintly", "ever so slightly", "a teeny bit", "a trace", "a whisker", "lil bit", "a lil bit", "a lil",
         "little bit", "bit by bit", "the tiniest bit", "tiny bit", "un poco", "ein bisschen", "ein wenig",
         "etwas", "un peu", "leicht", "softly", "delicately", "not too much", "not much", "not a lot", "not too strong",
         "not so strong", "not too heavy", "not too strongly", "gentle", "light touch", "go easy", "easy on", "go light", "light on"),
        0.3,
    ),
    **dict.fromkeys(("a quarter", "one quarter", "quarter"), 0.25),
    **dict.fromkeys(("a third", "one third"), 0.33),
    **dict.fromkeys(
        ("half", "by half", "halfway", "half way", "fifty fifty", "somewhat", "moderately", "medium", "partly",
         "partially", "in half"),
        0.5,
    ),
    **dict.fromkeys(("not completely", "not fully", "not entirely", "not totally", "not all the way"), 0.6),
    "two thirds": 0.67,
    **dict.fromkeys(("three quarters", "mostly", "for the most part"), 0.75),
    **dict.fromkeys(("almost completely", "nearly all", "almost all", "almost entirely", "nearly completely"), 0.9),
    **dict.fromkeys(
        ("completely", "totally", "entirely", "fully", "a lot", "lots", "a whole lot", "absolutely", "all the way",
         "wholly", "heavily", "strongly", "hard", "max", "maximum", "to the max", "as much as possible",
         "as much as you can", "every last", "for good", "at full strength", "full strength", "100", "full on",
         "every trace", "utterly", "thoroughly", "without a trace", "big time", "ganz", "komplett", "vollig",
         "completamente", "completement", "totalmente", "100 percent", "the whole way", "aggressively", "full blast",
         "every single", "everything you have got", "no trace", "drastically", "properly"),
        1.0,
    ),
}  # fmt: skip
NOT_AMOUNTS = (
    "me a lot",
    "a lot of",
    "hate it a lot",
    "lots of",
    "a bit of a",
    "a little of a",
    "thanks a lot",
    "half of my face",
    "half asleep",
)
"""Phrases that look like amounts and are not."""

NUMBERS: dict[str, int] = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "eleven": 11, "twelve": 12, "fifteen": 15, "twenty": 20, "thirty": 30, "forty": 40, "fourty": 40,
    "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90, "hundred": 100,
}  # fmt: skip
PERCENT = frozenset(("%", "percent", "percentage", "pct", "prozent", "porciento"))

REMOVE = (
    "remove", "remov", "no more", "get rid of", "get rid", "rid of", "rid", "take off", "take away", "take out", "take", "erase",
    "delete", "hide", "clear up", "clear away", "clear", "clean up", "clean off", "clean", "fix up", "fix", "conceal",
    "cover up", "cover", "zap", "wipe", "wipe off", "wipe out", "eliminate", "lose", "kill", "nuke", "heal", "drop",
    "edit out", "photoshop out", "photoshop", "airbrush out", "cut out", "cut", "matte", "mattify", "mask", "vanish",
    "retouch", "touch up", "correct", "treat", "sort out", "sort", "deal with", "work on", "improve", "banish", "dry",
    "brighten up", "brighten", "wash away", "powder", "ditch", "yeet", "smooth out", "smooth over", "smooth",
    "smoothen", "iron out", "iron", "polish", "perfect", "do away with", "tackle", "handle", "make disappear", "blot",
    "entferne", "entfernen", "weg mit", "wegmachen", "quita", "quitar", "quitame", "elimina", "eliminar", "borra",
    "enleve", "enlever", "efface", "effacer", "supprime", "retire", "remove all of", "remove any", "scrub", "depuff",
    "camouflage", "buff out", "buff", "filter out", "tidy up", "tidy", "magic away", "tweak", "apply", "want gone",
    "work your magic on", "freshen up", "take care of", "tame", "unclog", "shave off", "pluck",
)  # fmt: skip
SOFTEN = (
    "soften", "fade", "tone down", "reduce", "lessen", "less", "fewer", "lighten", "decrease", "minimise",
    "minimize", "calm", "calm down", "dial down", "diminish", "blur", "ease", "weaken", "not so", "not as", "not that",
    "not too", "take down", "bring down", "cut down", "turn down", "cut back", "tone it down on", "mellow", "dim", "mute",
    "attenuate", "mitigate", "shrink", "refine", "less visible", "less noticeable", "less obvious", "subdue",
    "make smaller", "take the edge off", "downplay", "weniger", "menos", "moins", "reduziere", "reduce", "reduire",
    "reducir", "suaviza", "attenue", "mildere", "abschwachen",
)  # fmt: skip
KEEP = (
    "keep", "leave", "leave out", "preserve", "spare", "retain", "protect", "skip", "exclude", "save", "i love", "i like",
    "i do like", "i really like", "i actually like", "i really love", "i actually love", "i am proud of", "im proud of",
    "hands off", "stay away from", "do not mind", "dont mind", "be careful with", "lass", "behalte", "behalten", "deja",
    "manten", "conserva", "garde", "gardez", "laisse", "keep your hands off", "steer clear of", "lay off",
    "avoid", "bring back", "put back", "give me back", "restore", "want back", "forget", "forget about", "stop removing", "stop hiding",
    "stop fading", "stop touching",
)  # fmt: skip
TOUCH = (
    "do",
    "touch",
    "change",
    "alter",
    "mess with",
    "affect",
    "bother with",
    "bother",
    "toca",
    "touche",
    "modify",
)
"""With a negation these ask to keep; alone they ask to edit."""
HAVE = (
    "want", "like", "need", "have", "have got", "got", "there is", "there are", "there", "hate", "cant stand", "see",
    "show", "look", "looks", "looking", "with", "has", "want to see", "let them see", "showing", "care for",
    "love", "quiero", "tengo", "sick of", "fed up with", "notice", "would like", "id like", "id love", "would love",
)  # fmt: skip
"""These tell or wish; a negation with them still asks to edit ("I don't like my moles")."""
ADD = (
    "add", "draw", "paint on", "paint", "put on", "give me", "create", "apply some", "fake", "enhance", "emphasise",
    "emphasize", "exaggerate", "accentuate", "darken", "give him", "give her", "get me", "bring out", "highlight",
)  # fmt: skip
MAKE = ("make", "turn", "get")

WORSE = (
    "darker",
    "bigger",
    "larger",
    "redder",
    "worse",
    "more visible",
    "more obvious",
    "more noticeable",
    "deeper",
    "shinier",
    "more prominent",
    "stand out",
    "pop",
    "wider",
    "redder",
)
"""After "make" these wish for more of an imperfection."""

STAYS = (
    "left alone", "left untouched", "left as they are", "left as it is", "left in",
    "stay", "stays", "should stay", "can stay", "may stay", "must stay", "alone", "is fine", "are fine", "is ok",
    "are ok", "are okay", "is okay", "fine as they are", "fine as it is", "as it is", "as they are", "remain", "remains",
    "in place", "untouched", "unchanged", "in peace", "can remain", "should remain", "dont bother me", "doesnt bother me",
    "do not bother me", "is cute", "are cute", "is part of me", "are part of me", "is off limits", "are off limits",
    "off limits", "intact", "in ruhe", "stehen", "tranquilo", "tranquila", "tranquille", "is sacred", "are mine",
    "visible", "back", "stays put", "stay put", "the way they are", "the way it is", "not bothering me",
)  # fmt: skip
GOES = (
    "gone", "away", "removed", "off", "disappear", "vanish", "invisible", "hidden", "out", "erased", "deleted", "cleared",
    "be gone", "go away", "go", "fixed", "cleaned up", "covered", "smaller", "lighter", "softer", "weg", "fuera",
    "disappeared", "smoother", "concealed", "evened out", "poof", "has to go", "have to go", "must go", "begone", "bye",
    "removal", "removed please", "not visible", "no longer visible", "smoothed", "smoothed out", "retouched", "touched",
    "changed", "altered", "edited", "nicer", "better", "matte",
)  # fmt: skip
SOFT_GOES = (
    "softer",
    "lighter",
    "smaller",
    "faded",
    "reduced",
    "toned down",
    "softened",
    "weaker",
    "less visible",
)

NEGATIONS = (
    "not", "dont", "do not", "never", "without", "cannot", "cant", "wont", "will not", "shouldnt", "should not",
    "didnt", "did not", "doesnt", "does not", "nicht", "ohne", "sin", "sans", "pas", "dont you dare", "never ever",
    "isnt", "arent", "no need to", "rather not", "instead of", "refrain from", "wouldnt", "nor", "minus",
)  # fmt: skip
EXCEPTS = (
    "except", "except for", "except the", "excluding", "apart from", "aside from", "other than", "save for", "bar",
    "besides", "all but", "all except", "all except for", "all apart from", "everything but", "with the exception of", "ausser", "excepto", "menos", "sauf", "anything but",
    "but not", "just not", "only not", "expect for", "exept", "nothing but", "outside of",
)  # fmt: skip
BUTS = ("but", "though", "although", "however", "aber", "pero", "mais", "yet")
ONLYS = ("only", "just", "nothing but", "solely", "exclusively", "nur", "solo", "seulement")
ALSOS = (
    "also", "too", "as well", "plus", "additionally", "same for", "same on", "the same", "same", "likewise", "on top",
    "auch", "tambien", "aussi", "and now", "next", "another thing", "while you are at it", "include",
)  # fmt: skip
CORRECTIONS = (
    "no wait", "no , wait", "wait", "wait no", "wait , no", "i mean", "i meant", "sorry", "sorry i meant", "sorry , i meant",
    "correction", "no no", "no , no", "or rather", "make that", "scratch that", "oops", "instead", "no i meant",
    "no , i meant", "no i mean", "no , i mean", "no sorry", "no , sorry", "my mistake", "wrong", "wrong one",
    "not that one", "not that", "thats wrong", "that is wrong", "hang on", "hold on", "i said", "no i said", "my bad",
    "wrong side", "other way round", "sorry i mean", "sorry , i mean", "wait i meant", "wait i mean", "actually no",
    "actually , no", "strike that", "ach nein", "er no", "uh no", "um no",
)  # fmt: skip
TRAILING_CORRECTIONS = frozenset(("i mean", "i meant", "instead", "sorry", "i said"))
OTHERS = ("other", "opposite")
ENDS = (
    "then",
    "also remove",
    "after that",
    "afterwards",
    "and then",
    "because",
    "since",
    "cause",
    "cuz",
    "so that",
    "dann",
)
NO = "no"

UPS = (
    "more", "stronger", "harder", "even more", "increase", "boost", "bump up", "bump it up", "crank up", "crank it up", "further", "go further",
    "turn it up", "turn up", "intensify", "not enough", "isnt enough", "is not enough", "still see", "still there",
    "still visible", "still too visible", "too visible", "still too", "still a bit", "still shows", "still show", "still showing", "more intense", "up a notch", "stronger on", "amp up",
    "amp it up", "ramp up", "strengthen", "push it", "heavier", "starker", "mehr", "mas", "plus fort", "too weak",
    "more strongly", "more please", "keep going", "double", "twice as strong", "too subtle", "can barely tell",
    "a notch up", "dial up", "dial it up", "go harder", "more effect", "raise",
)  # fmt: skip
DOWNS = (
    "weaker", "too much", "too strong", "overdone", "less strong", "less intense", "less strongly", "fake", "plastic",
    "unnatural", "tone it down", "tone that down", "turn it down", "go easier", "easier", "ease up", "dial it back",
    "dial back", "dial it down", "down a notch", "over the top", "back off", "scale back", "scale it back", "pull back",
    "overkill", "softer", "gentler", "milder", "a notch down", "subtler", "more subtle", "more natural", "schwacher",
    "too heavy", "less effect", "less retouching", "less retouch", "less please", "ease off", "not so much", "waxy",
    "decrease it", "reduce it", "soften it", "soften that", "lower it", "less of it", "less of that", "more gently",
    "more gentle", "more subtly", "lighter touch",
)  # fmt: skip
BIG = frozenset(("a lot", "much", "way", "far", "lots", "significantly", "considerably", "loads"))
SMALL = frozenset(
    ("a bit", "a little", "slightly", "a tad", "a touch", "a little bit", "a tiny bit", "a smidge")
)

COMMANDS: dict[str, tuple[str, ...]] = {
    "undo": (
        "put them back", "bring them back", "no dont", "no , dont",
        "undo", "undo that", "undo this", "undo it", "undo that last thing", "undo the last thing", "undo that last one", "undo the last step",
        "undo that last step", "undo the last edit", "undo that last edit", "undo my last change", "undo last change",
        "undo that last change", "undo the previous one", "undo the last one", "undo last", "take that back", "take it back",
        "revert", "revert that", "go back", "go back one", "go back one step", "one step back", "step back", "never mind",
        "nevermind", "cancel that", "cancel", "scratch that", "put it back", "put that back", "back up", "ctrl z",
        "control z", "undo the last change", "undo my last", "it was better before", "that was better before",
        "better before", "like before", "as before", "the way it was", "forget that", "forget it", "forget the last one",
        "roll back", "rollback", "back to the previous", "previous look", "ruckgangig", "zuruck", "deshacer", "deshaz",
        "annuler", "annule", "un do", "and do that", "reverse that", "unto", "undue", "dont do that", "drop that",
        "i preferred it before", "i liked it before", "i liked it better before", "remove the last change",
        "change it back", "bring it back", "switch it back", "undo your last", "go one back", "the way it was before",
    ),
    "redo": (
        "redo", "redo that", "redo it", "do it again", "again please", "reapply", "bring that look back", "re do",
        "undo the undo", "undo that undo", "wiederholen", "rehacer", "retablir", "put it back on", "restore that",
        "bring back the last one", "reapply that", "re apply", "reapply it",
    ),
    "reset": (
        "look like myself", "wipe all of that", "look like me again", "like myself again", "my normal self",
        "start over", "start again", "start fresh", "start from scratch", "from scratch", "reset", "reset everything",
        "reset it", "reset all", "restart", "original", "the original", "go back to the original", "undo everything",
        "undo all", "undo it all", "undo all of it", "undo all that", "clear all", "remove all edits",
        "remove all effects", "remove all filters", "remove every edit", "remove all the edits", "remove all changes",
        "as i am", "the way i am", "back to normal", "normal again", "no retouching", "no retouch", "my real face",
        "show my real face", "back to zero", "back to the start", "back to square one", "clean slate",
        "stop everything", "stop retouching", "my natural face", "untouched face", "no edits", "no effects", "no filter",
        "cancel everything", "revert everything", "revert all", "back to the beginning", "unretouched",
        "drop everything", "no more retouching", "alles zuruck", "zurucksetzen", "reiniciar", "reinitialiser", "my own face",
        "back to default", "discard everything", "remove all retouching", "forget everything", "scrap everything",
        "scrap all", "everything back to normal", "bring everything back", "put everything back", "drop all edits",
        "cancel all", "cancel all changes", "undo every change", "discard all", "back to my normal face",
        "without any edits", "without edits", "begin again", "start anew", "drop all changes",
    ),
    "nothing": (
        *(
            f"{who} {how} {way}" for who in ("im", "i am") for how in ("fine", "happy", "ok", "okay", "good", "content")
            for way in ("the way i am", "as i am", "with the way i am", "with the way i look", "with how i look")
        ),
        "dont need any retouching", "do not need any retouching", "dont need retouching", "no retouching needed",
        "dont want any retouching", "dont want any edits", "dont need any edits",
        "nothing", "nothing at all", "im happy", "i am happy", "happy with", "happy as", "leave it", "leave it as it is",
        "leave it at that", "leave it like this", "leave it like that", "leave it there", "leave me as", "leave as is",
        "as is", "perfect", "thats perfect", "looks good", "looks great", "look good", "look great", "looks perfect",
        "looks fine", "look fine", "looks nice", "all good", "no thanks", "no thank you", "im fine", "i am fine", "im good",
        "i am good", "no changes", "no change", "dont change anything", "do not change anything", "dont change a thing",
        "dont touch anything", "do not touch anything", "dont do anything", "do not do anything", "dont touch my face",
        "dont touch it", "thats enough", "that is enough", "enough", "stop there", "thanks", "thank you", "thank u", "thx",
        "cheers", "great", "love it", "i love it", "i like it", "thats it", "that is it", "thats all", "that is all",
        "keep it", "keep it like this", "keep it like that", "keep it this way", "keep it as it is", "keep it that way",
        "keep everything", "keep everything as it is", "leave everything", "leave everything as it is", "its fine",
        "it is fine", "good as it is", "fine as it is", "fine the way it is", "the way it is now", "good enough",
        "no need", "not needed", "dont need anything", "do not need anything", "dont want anything", "nice", "okay", "ok",
        "passt so", "danke", "gracias", "merci", "satisfied", "content", "do nothing", "like the way i look",
        "love the way i look", "like how i look", "love how i look", "just right", "well done", "nada", "nichts",
        "rien", "good", "cool", "awesome", "lovely", "beautiful", "no edits needed", "no retouching needed", "fine by me",
        "im okay", "im ok", "i am ok", "comfortable", "like my face", "love my face", "thats fine", "that is fine",
        "dont change it", "dont change me", "leave my face alone", "leave me alone", "leave me be",
        "no retouching today", "hold it there", "stay like this", "stay like that", "nothing to change", "nothing else",
        "no more changes", "thats good", "that is good", "fantastic", "wonderful",
    ),
    "switch": (
        "turn it off", "turn off", "switch it off", "switch off", "turn it on", "turn on", "switch it on", "switch on",
        "turn the filter off", "turn the filter on", "switch the filter off", "switch the filter on", "filter off",
        "filter on", "disable", "enable", "pause", "resume", "turn off the filter", "turn on the filter", "turn that off",
        "turn this off", "turn that on", "turn the effect off", "turn the effect on", "turn the retouching off",
        "turn the retouching on", "turn retouching off", "turn retouching on", "power off", "shut it off", "shut off",
        "ausschalten", "einschalten", "apagar", "encender", "eteindre",
    ),
}  # fmt: skip

INJECTIONS = (
    "your instructions", "previous instructions", "prior instructions", "all instructions", "the instructions",
    "above instructions", "system prompt", "jailbreak", "you are now", "pretend to be", "pretend you", "act as",
    "developer mode", "your rules", "the rules", "your prompt", "your guidelines", "api key", "password", "as an ai",
    "ignore everything above", "ignore the above", "ignore all previous", "roleplay", "role play", "new instructions",
    "output json", "print the", "execute", "sudo", "drop table", "rm rf", "base 64", "repeat after me",
)  # fmt: skip

QUESTIONS = frozenset("why who when where what which whats whos wheres".split())
"""First words of questions that ask to know, not to do ("what about" and "why not" aside)."""

_COLOURS = "blue green brown hazel grey gray purple golden violet amber black bigger larger smaller brighter".split()
ERRANDS = "other errands"
LEFT_OUT: dict[str, str] = {
    **{f"{colour} eye": "other eyes" for colour in _COLOURS if colour != "black"},
    **{f"{colour} eyes": "other eyes" for colour in _COLOURS if colour != "black"},
    **{f"eyes {colour}": "other eyes" for colour in _COLOURS},
    **{f"my eyes {colour}": "other eyes" for colour in _COLOURS},
    **dict.fromkeys(("eye color", "eye colour", "eyes color", "open my eyes", "contacts", "contact lenses"), "other eyes"),
    **dict.fromkeys(
        ("lipstick", "lip gloss", "lipgloss", "makeup", "make up", "mascara", "eyeliner", "eye liner", "eyeshadow",
         "foundation", "blusher", "blush", "contour", "rouge", "false lashes", "lashes", "eyelashes", "eyelash",
         "concealer", "highlighter", "bronzer", "red lips", "pink lips", "eye shadow", "smokey eye", "smoky eye", "nail polish", "cat eye",
         "eyebrow pencil"),
        "make-up",
    ),
    **dict.fromkeys(
        ("teeth", "tooth", "whiter smile", "white teeth", "braces", "whiter teeth", "whiten"), "teeth"
    ),
    **dict.fromkeys(
        ("hair color", "hair colour", "hairstyle", "haircut", "hair cut", "blonde", "blond", "brunette", "bald", "wig",
         "dye my hair", "hair blue", "hair pink", "hair red", "longer hair", "long hair", "curly hair", "straighten my hair",
         "bangs", "pink hair", "blue hair", "green hair", "red hair", "hair green", "hair longer", "more hair"),
        "hairstyles",
    ),
    **dict.fromkeys(("beard", "moustache", "mustache", "stubble", "goatee", "sideburns"), "beards"),
    **dict.fromkeys(
        ("slim", "slimmer", "thinner", "thin", "skinny", "skinnier", "double chin", "face lift", "facelift", "nose job",
         "smaller nose", "nose smaller", "bigger lips", "lips bigger", "fuller lips", "plump", "lips fuller", "sharper jaw",
         "jaw sharper", "jawline sharper", "sharper jawline", "chiseled", "narrow", "narrower", "reshape", "bigger nose",
         "smaller ears", "ears", "neck", "taller", "muscles", "lose weight", "face smaller", "face thinner", "cheekbones higher",
         "higher cheekbones", "dimple", "dimples", "smaller chin", "chin smaller", "symmetrical", "straighten my nose",
         "nose straighter", "nose thinner", "thinner nose", "stronger jaw", "stronger jawline", "stronger chin", "smile wider", "nose bigger"),
        "the shape of a face",
    ),
    **dict.fromkeys(
        ("background", "blur my background", "green screen", "wallpaper", "my room", "the wall"), "backgrounds"
    ),
    **dict.fromkeys(
        ("glasses", "sunglasses", "hat", "cat ears", "bunny ears", "dog filter", "mask", "crown", "earrings", "tattoo",
         "moustache filter", "shirt", "clothes", "jacket", "tie", "necklace", "piercing"),
        "things that are worn",
    ),
    **dict.fromkeys(
        ("lighting", "brightness", "contrast", "camera angle", "zoom", "zoom in", "exposure", "saturation", "resolution",
         "frame rate", "black and white", "sepia"),
        "the camera's picture",
    ),
    **dict.fromkeys(("my voice", "microphone", "mic", "volume", "audio", "mute me", "echo"), "sound"),
    **dict.fromkeys(("tan", "tanned", "paler", "skin darker", "skin lighter", "lighter skin", "darker skin", "whiter skin",
                     "skin whiter", "fairer"), "skin colour"),
    **dict.fromkeys(
        ("pizza", "weather", "joke", "music", "song", "email", "e mail", "poem", "recipe", "news", "taxi", "uber", "flight",
         "hotel", "calendar", "meeting for", "timer", "alarm", "translate", "capital of", "stock", "football", "movie",
         "homework", "coffee", "play some", "call my", "text my", "what time", "search for", "book a", "order a", "order me", "remind me",
         "schedule", "write me", "tell me a", "sandwich", "password", "bitcoin", "play"),
        ERRANDS,
    ),
    **dict.fromkeys(
        ("look like a celebrity", "brad pitt", "celebrity", "anime", "cartoon", "swap my face", "face swap", "deepfake",
         "look older", "older", "a woman", "a man", "into a", "handsome", "movie star", "superstar", "vampire", "cyborg",
         "sexy", "superman"),
        "turning you into somebody else",
    ),
}  # fmt: skip
"""What is asked for and cannot be done, and how the reply names it."""

MISHEARD: dict[str, str] = {
    "four head": "forehead", "for head": "forehead", "read ness": "redness", "red ness": "redness", "black heads": "blackhead",
    "i bags": "eye bag", "eye backs": "eye bag", "i bag": "eye bag", "dark serials": "dark circle", "dark circuits": "dark circle",
    "crows feed": "crow feet", "crow feed": "crow feet", "crowds feet": "crow feet", "cross feet": "crow feet",
    "crow feat": "crow feet", "grows feet": "crow feet", "crose feet": "crow feet", "act me": "acne", "ac knee": "acne", "acme": "acne", "agne": "acne", "acny": "acne",
    "rink ells": "wrinkle", "ring goals": "wrinkle", "wrinkels": "wrinkle", "frecles": "freckle", "freckels": "freckle",
    "teh": "the", "noes": "nose", "nsoe": "nose", "chekc": "cheek", "cheak": "cheek", "cheeck": "cheek",
    "moels": "mole", "scras": "scar", "rdeness": "redness", "pls": "please", "plz": "please", "u": "you",
    "chin's": "chin", "t sone": "t zone", "tea zone": "t zone", "tee zone": "t zone", "jaw lime": "jaw line",
    "job line": "jaw line", "draw line": "jaw line", "smile lime": "smile line", "fine lime": "fine line",
    "fine lies": "fine line", "laugh lies": "laugh line", "under i": "under eye", "under my i": "under my eye",
    "fly aways": "flyaway", "blood she": "blotchy", "blotch e": "blotchy", "fore had": "forehead", "nasal labial": "nasolabial",
    "naso labial": "nasolabial", "nasal labia": "nasolabial", "eye begs": "eye bag", "pimpels": "pimple", "pimples's": "pimple", "reedness": "redness",
    "dont's": "dont", "freak les": "freckle", "freak holes": "freckle", "pim pulls": "pimple", "pimp holes": "pimple",
    "whole pores": "pore", "skarz": "scar", "scarce": "scar", "un do": "undo", "cheeky": "cheek", "sheek": "cheek", "sheeks": "cheek",
    "lefft": "left", "letf": "left", "rigth": "right", "rihgt": "right", "rite": "right", "cheecks": "cheek", "cheks": "cheek", "chek": "cheek",
    "foto": "photo", "moustach": "moustache", "wrinkes": "wrinkle", "rinkles": "wrinkle", "zitz": "zit", "spotz": "spot",
    "forhead": "forehead", "forehed": "forehead", "for ehead": "forehead", "dark cirlces": "dark circle", "undr": "under", "shinny": "shiny",
    "remoove": "remove", "rmove": "remove", "remve": "remove", "fase": "face", "faec": "face", "hte": "the", "kepp": "keep", "keap": "keep",
    "liens": "line", "lins": "line", "moal": "mole", "moals": "mole", "skar": "scar", "skars": "scar", "porse": "pore", "poors": "pore", "evry": "every",
    "oli": "oil", "oliy": "oily", "red nose": "red nose",
}  # fmt: skip
"""Slips too short or too far for the speller, and what a recogniser makes of our words."""
MISHEARD_AFTER: dict[str, str] = {
    "knows": "nose", "nos": "nose", "know": "nose", "shin": "chin", "gin": "chin", "chicks": "cheek", "chick": "cheek",
    "check": "cheek", "checks": "cheek", "cheat": "cheek", "chic": "cheek", "molds": "mole", "moulds": "mole", "malls": "mole",
    "mold": "mole", "mould": "mole", "scare": "scar", "scares": "scar", "cars": "scar", "porch": "pore", "pours": "pore", "paws": "pore",
    "pause": "pore", "force": "pore", "wars": "scar", "job": "jaw", "draw": "jaw", "jar": "jaw", "shrine": "shine", "sign": "shine", "pebbles": "pimple",
    "simples": "pimple", "sports": "spot", "sport": "spot", "pots": "spot", "bangs": "bag", "backs": "bag", "begs": "bag", "tracking": "freckle", "month": "mouth", "ridges": "wrinkle",
    "sparks": "spot", "records": "freckle", "freckless": "freckle", "chain": "chin", "noise": "nose", "knee": "nose", "nouns": "nose", "rose": "nose", "house": "nose", "thin": "chin", "tin": "chin", "moulder": "mole",
    "temples": "temple", "sticks": "cheek", "seeks": "cheek", "meals": "mole", "moles": "mole", "souls": "mole", "stars": "scar", "eight": "left", "chicken": "chin",
}  # fmt: skip
"""What a recogniser makes of our words, trusted only right after one of `MISHEARD_CUES`."""
MISHEARD_CUES = frozenset(
    "my the left right his her these those remove hide fade soften reduce erase".split()
)

DETERMINERS = frozenset(
    "the that this my these those his her their your any der die das meine meinen el la los las le les mis mes".split()
)
PREPOSITIONS = frozenset(
    "on from off in at of over across around by to along near under below beneath above am an auf von en de sur du".split()
)
PRONOUNS = frozenset("it them they that those these this him her".split())
JOINERS = frozenset(("and", ",", "or", "&", "und", "oder", "y", "et", "plus", "nor"))

IDLE = frozenset(
    "a all also am an and any are as at be big bit by can could do does for get guys has have hello her here hey hi "
    "his id if im in is it its ive just kind lets like little maybe me much my new now of old or our please pretty quite "
    "really right small so some thank thanks that the them then there these they this those tiny to today too ugly up "
    "us very want was we will with would you".split()
)
"""Words without a tag that say nothing about the look."""
