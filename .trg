c g c b h g g d 
h e c f d 
b g b b a e b f f 
b h a b 
e f c e g 
g e g c h 
g c c h 
a c h f b a e h a 
d 
b 
e f e g d e c g h 
d 
d b f c f f c f h 
e h f c h b c g 
f g d h d g 
e d f h b h h b d 
d c g 
e c b 
b a h b 
d f h h g 
f b b e b c c 
b g 
g b b e a h a 
e b a g f h f 
a 
g d 
h b h b a g 
a h 
h d b b e h a a 
g e a f d e e c 
h e h 
g g h g f a f 
a h g b d f h h f 
c c f b f b 
b f a 
a f e c h e 
g c d h e 
g e c a 
d d f 
e b f 
d 
f f e b c f f 
h b f 
f h c a e c f 
a 
c f e e 
c g a h b c c 
h d 
g h h g d f a f g 
e g 
g h h 
d g c b e 
f b c d g 
b b f g d e b 
h c c b a 
c e f d c d g g e 
a a 
h d a c c c 
h b d g f c 
d g d e b e 
f f c 
a c g g a d b h c 
g d b f h d a f 
a 
b g f c 
a 
e a d f g 
d h c c e e 
e e 
h a a g b e 
b d 
c a f g c h c c 
f a e b b c g f 
e d b d c d b f 
a e 
c f c d 
c f g f h e 
e f e g e a 
f g f c 
a a 
c a a e f e b 
b g f 
c f h f 
d b h f g e b b 
e h b h f e g 
h h f e g g h e d 
f e g 
g b d e c g g 
b e f e e d f g 
a e g e f a 
f d g a e 
a d b d b 
a h d d e g e 
f 
d f h f b b 
h h h g 
h d h d b e c 
c h g c h g g d b 
b e e e 
e b h f c 
a e f e f b c a 
h a c a b e 
d d b h h g 
f h c h c b h f 
e g a h c 
b f b b c b h 
h b 
b 
f d 
h b c d d d a e a 
c g g d a b 
c f h c f f b e a 
g 
b g c g c h f f 
e b b b a a 
h 
g d e b e c d h a 
h a e f c b f e e 
c d e b 
g b c f c d f 
g a f 
a c c g e f c e 
h g e e h 
c d a a a c c 
h d b a d e g 
a 
a e f 
f f e a g g d b g 
f a g b c a h g a 
g h b 
h 
b e c f d d f c 
d 
a f 
a g h c e f b e 
e 
c b d b 
d b f a 
g 
h b e a a g h f 
d 
e g d e f f 
h f d g a d c g b 
f e e e e f f g 
g 
f g g b b b 
c f 
h 
d 
f c b 
g f e c b h g e b 
g f f 
a c g g e e a g 
c a f d d c b b 
c d c d f g a e 
d f h d h a 
c e b b c 
d f 
b c b g b 
h 
f f g 
h a 
d f e h b g a 
c f b g b d f h 
f f d e 
f b c a e 
c b f b 
g a a c d 
f g d c b c e h 
g a h e a d b d 
c g 
h f e d 
b b d a h h a a a 
e g e d d d a e 
f g 
h 
a h h c d 
a e h g a h h b h 
f c 
f a f 
f e c g 
c a h c h a d f e 
a h f a d f b c 
e c g f h b f b 
b g 
g d 
h d h g d 
b b 
e c f h 
f a f e d 
f f b h e f 
f c c b g 
a b 
b d 
b a b g 
g h e b b e e 
d f d 
d 
e c d d c b c f h 
e d g h f f h e 
g f f 
e c h a e 
g 
f b g d h 
g a e 
g b b g e 
b e f a a b b c e 
b f c f f g h 
g 
h h d g b g d c 
c b a a h f 
c 
f 
c d c e f 
h c g f d a 
a b b 
c h g b a a 
h d e d g e b 
f b a 
d g g f 
